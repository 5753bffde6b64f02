/* The vocabulary of a byte-level BPE tokenizer: spelling to id to bytes. */
#ifndef OSC_TEXT_VOCAB_H
#define OSC_TEXT_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"

enum { OSC_NO_TOKEN = -1 };

typedef struct {
    const char *spelling;   /* as in the file, NUL-terminated; NULL: the id has no token */
    size_t      length;     /* of the spelling */
    const char *bytes;      /* what it stands for, not NUL-terminated */
    size_t      size;       /* of the bytes */
    bool        special;    /* a mark, not text: bos, eos, padding and the like */
} osc_token;

typedef struct {
    osc_token *token;       /* [size], by id */
    size_t     size;        /* largest id + 1 */
    char      *storage;     /* all spellings and bytes */
    int32_t   *slot;        /* hash table of ids, OSC_NO_TOKEN where empty */
    size_t     mask;        /* slots - 1, slots a power of two */
    int32_t    byte_id[256];
} osc_vocab;

/* From a JSON object of spelling -> id.  A spelling made of the characters that
 * stand for bytes is decoded; any other (an added token) stands for itself.
 * OSC_EFORMAT unless ids are distinct, from 0, below 16 times their number, and
 * every byte has a token. */
osc_status osc_vocab_create(osc_vocab **vocab, json_t *ids);
void osc_vocab_free(osc_vocab *vocab);

/* The id of the token spelled `left` then `right`, or OSC_NO_TOKEN. */
int32_t osc_vocab_find(const osc_vocab *vocab, const char *left, size_t left_length,
                       const char *right, size_t right_length);

/* Writes the character that stands for `byte` as 1 or 2 bytes of UTF-8. */
size_t osc_byte_spell(char out[2], uint8_t byte);

#endif
