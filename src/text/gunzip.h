/* gzip files as a whole. */
#ifndef OSC_TEXT_GUNZIP_H
#define OSC_TEXT_GUNZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Decompresses all members of a gzip file; zero bytes may pad its end.  `*text`
 * is released with osc_free.  OSC_EFORMAT if it is truncated or damaged, or gives
 * more than 64 MiB and more than 32 times its size: no text does. */
osc_status osc_gunzip(char **text, size_t *text_size, const uint8_t *data, size_t size);

#endif
