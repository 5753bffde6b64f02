/* Lists of hook points on the command line. */
#ifndef EXPERIMENTS_POINT_LIST_H
#define EXPERIMENTS_POINT_LIST_H

#include "osc.h"

/* "qkv_in,fc1_in", the value of --OPTION, as bits (1u << point); "none" and "" are 0.
 * OSC_EINVAL names the point that there is not, and the nearest. */
osc_status point_list_parse(unsigned *bits, const char *option, const char *text);

#endif
