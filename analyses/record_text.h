/* What is said of a record in notes and captions. */
#ifndef ANALYSES_RECORD_TEXT_H
#define ANALYSES_RECORD_TEXT_H

#include "osc.h"

/* "2.1M", "125M", "6.7B"; returns `text`. */
const char *record_parameters_text(char *text, size_t size, uint64_t parameters);

/* "16 sequences of up to 256 ids, 4080 scored, protocol stream, bos 2, scheme none";
 * returns what snprintf does.  Strings are arguments of their own because those of
 * `info` may be gone with the record. */
int record_protocol_text(char *text, size_t size, const osc_record_info *info,
                         const char *protocol, const char *scheme);

/* "shard 2 of 3, sequences 4 to 7 of 11: a part of the text", "" if the record is of all of
 * it; returns `text`. */
const char *record_shard_text(char *text, size_t size, const osc_record_info *info);

#endif
