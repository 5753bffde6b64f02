/* A pickle machine for state dicts and nothing else: it knows the opcodes that
 * torch.save writes for one and hands names and objects to torch_objects.h, which
 * knows the few that may occur.  Nothing in a pickle can make code run. */
#ifndef OSC_STORE_PICKLE_H
#define OSC_STORE_PICKLE_H

#include "store/pickle_value.h"

/* Runs the pickle of protocol 2 that begins at `data`, which must outlive `pickle`,
 * and stops after its STOP: `*used` of the `size` bytes.  Linear in `*used`; memory:
 * 16 bytes for each byte of the pickle for the values, twice as many for the memo, and
 * 32 MiB at most for the stack.
 * OSC_EFORMAT with the offset of the refused opcode; OSC_EUNSUP for what could be a state
 * dict but is not supported; OSC_ENOMEM. */
osc_status osc_pickle_run(struct osc_pickle *pickle, struct osc_value *result, size_t *used,
                          const uint8_t *data, size_t size);

/* Releases what the pickles made; `pickle` may be used again. */
void osc_pickle_release(struct osc_pickle *pickle);

#endif
