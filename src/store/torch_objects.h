/* The classes and functions that a state dict's pickle names, and what becomes of
 * them here.  Every other name is refused where it is read. */
#ifndef OSC_STORE_TORCH_OBJECTS_H
#define OSC_STORE_TORCH_OBJECTS_H

#include "store/pickle_value.h"

/* The object "module name", or NULL if it is none of a state dict's. */
const struct osc_global *osc_torch_global(const char *module, size_t module_size,
                                          const char *name, size_t name_size);

/* `callable(*arguments)`; the result lies in the pickle's arena.  OSC_EFORMAT for
 * callables and arguments that torch.save does not write. */
osc_status osc_torch_call(struct osc_value *result, struct osc_pickle *pickle,
                          const struct osc_value *callable, const struct osc_value *arguments);

/* The storage of the persistent id
 * ('storage', class, key, location, count[, view]), added to pickle->storages. */
osc_status osc_torch_storage(struct osc_value *result, struct osc_pickle *pickle,
                             const struct osc_value *id);

#endif
