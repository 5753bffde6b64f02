/* Values of options that several analyses share. */
#ifndef ANALYSES_OPTIONS_H
#define ANALYSES_OPTIONS_H

#include "cli/cli.h"
#include "osc.h"

/* Index of `text` in `names`; OSC_EINVAL lists them and names the nearest. */
osc_status option_choice(size_t *index, const char *option, const char *text,
                         const char *const *names, size_t count);

/* cli_parse for a command whose operands are records: without any, record's default
 * output if it is there, else bad usage. */
int option_parse(const cli_command *command, const cli_option *options, int *argc, char **argv);

/* "qkv_in,fc1_in" -> bits; a NULL text is all of `tracked`.  OSC_EINVAL names a
 * point that the record did not track and lists those it did. */
osc_status option_track(unsigned *track, const char *text, unsigned tracked);

/* "qkv_in, out_in, fc1_in" of bits, cut at `size`; returns `text`. */
const char *option_points_text(char *text, size_t size, unsigned points);

#endif
