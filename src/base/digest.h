/* SHA-256 of files and strings (libcrypto). */
#ifndef OSC_BASE_DIGEST_H
#define OSC_BASE_DIGEST_H

#include <stddef.h>

#include "base/status.h"

typedef struct osc_digest osc_digest;

enum { OSC_DIGEST_HEX = 65 };   /* 64 hexadecimal digits and a NUL */

osc_status osc_digest_create(osc_digest **digest);
void osc_digest_free(osc_digest *digest);
osc_status osc_digest_add(osc_digest *digest, const void *data, size_t size);
/* Writes the hexadecimal SHA-256 of all that was added; ends the digest's use. */
osc_status osc_digest_finish(osc_digest *digest, char hex[OSC_DIGEST_HEX]);

#endif
