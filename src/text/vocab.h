/* The vocabulary of a BPE tokenizer: spelling to id to bytes. */
#ifndef OSC_TEXT_VOCAB_H
#define OSC_TEXT_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"

enum { OSC_NO_TOKEN = -1 };

/* A hash table at most half full never needs so many steps, unless somebody chose its
 * keys for that. */
enum { OSC_MOST_PROBES = 256 };

/* What the symbols that BPE starts from are. */
typedef enum {
    OSC_ALPHABET_BYTES,       /* bytes, each spelled as the character that stands for it (GPT-2) */
    OSC_ALPHABET_CHARACTERS   /* characters; "<0x0A>" spells a byte of those without a token */
} osc_alphabet;

typedef struct {
    const char *spelling;   /* as in the file, NUL-terminated; NULL: the id has no token */
    size_t      length;     /* of the spelling */
    const char *bytes;      /* what it stands for, not NUL-terminated */
    size_t      size;       /* of the bytes */
    bool        special;    /* a mark, not text: bos, eos, padding and the like */
    bool        outside;    /* BPE does not know it: it comes from added_tokens alone */
} osc_token;

typedef struct {
    osc_token *token;       /* [size], by id */
    size_t     size;        /* largest id + 1 */
    char      *storage;     /* all spellings and bytes ... */
    char     **more;        /* [mores] ... but these bytes */
    size_t     mores, room;
    int32_t   *slot;        /* hash table of ids, OSC_NO_TOKEN where empty */
    size_t     mask;        /* slots - 1, slots a power of two */
    int32_t    byte_id[256];   /* OSC_NO_TOKEN where characters are the alphabet and
                                * none spells the byte */
} osc_vocab;

/* From a JSON object of spelling -> id, and another (NULL: none) of those that BPE does
 * not know, whose spellings the first lacks.  In an alphabet of bytes a spelling made of the
 * characters that stand for bytes is decoded; any other (an added token) stands for
 * itself, as do all in one of characters.  OSC_EFORMAT unless ids are distinct, from 0,
 * below 16 times their number, and, in an alphabet of bytes, every byte has a token. */
osc_status osc_vocab_create(osc_vocab **vocab, json_t *ids, json_t *outside,
                            osc_alphabet alphabet);
void osc_vocab_free(osc_vocab *vocab);

/* Sets the bytes that a token stands for to a copy of `bytes`. */
osc_status osc_vocab_set_bytes(osc_vocab *vocab, int32_t id, const uint8_t *bytes, size_t size);

/* The id of the token spelled `left` then `right`, or OSC_NO_TOKEN. */
int32_t osc_vocab_find(const osc_vocab *vocab, const char *left, size_t left_length,
                       const char *right, size_t right_length);

/* Writes the character that stands for `byte` as 1 or 2 bytes of UTF-8. */
size_t osc_byte_spell(char out[2], uint8_t byte);

#endif
