/* Texts and the sequences of token ids that a model runs over. */
#ifndef OSC_TEXT_CORPUS_H
#define OSC_TEXT_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "text/tokenizer.h"

/* --- documents --------------------------------------------------------------- */

typedef struct {
    const char *text;   /* UTF-8 as in the file, not NUL-terminated */
    size_t      size;
} osc_document;

typedef struct osc_documents osc_documents;

/* Reads a text file.  By the end of its name: .jsonl, .json, .jsonl.gz, .json.gz
 * (one JSON object a line, field "text"), anything else plain text, .gz
 * decompressed first.  In plain text a line that is exactly <|endoftext|>
 * separates documents; the newline before it, the one after it and the file's
 * last newline belong to no document; nothing between two of them is no document,
 * while "text": "" is an empty one.  OSC_EFORMAT names the line; a file without any
 * text is OSC_EFORMAT, as is a .gz that expands to more than 64 MiB and 32 times
 * its size. */
osc_status osc_documents_read(osc_documents **documents, const char *path);
void osc_documents_free(osc_documents *documents);
size_t osc_documents_count(const osc_documents *documents);
osc_document osc_documents_at(const osc_documents *documents, size_t index);
/* The whole of a plain text, separators included; false for JSON lines. */
bool osc_documents_whole(osc_document *whole, const osc_documents *documents);
/* Whether the file's name ends in .raw (or .raw.gz), as WikiText's do. */
bool osc_documents_are_wikitext(const osc_documents *documents);
/* OSC_EIO if the file, in which plain text still lies, was changed since it was read. */
osc_status osc_documents_check(const osc_documents *documents);
/* SHA-256 of the file's bytes as stored (compressed if it is). */
const char *osc_documents_digest(const osc_documents *documents);

/* --- sequences --------------------------------------------------------------- */

typedef enum {
    OSC_STREAM,      /* [bos] + ids of each document, one stream, windows of S-1 ids, bos before
                      * each */
    OSC_GPTQ,        /* documents joined by a blank line, one bos at the start, windows of S ids;
                      * of a WikiText file (.raw) the same as: */
    OSC_WIKITEXT2,   /* the rows of WikiText's loader, joined and cut as by GPTQ */
    OSC_C4,          /* 256 windows of S ids from documents, drawn as by GPTQ with seed 0 */
    OSC_C4_NEW,      /* the first 1100 documents joined by a blank, one bos, 256 windows */
    OSC_DOCUMENTS,   /* [bos] + ids of each document cut to S ids, one sequence each */
    OSC_PIECES,      /* [bos] + ids of each document, cut into consecutive sequences of S */
    OSC_TOKENS,      /* sequences taken from a file of ids as they are */
    OSC_PROTOCOL_COUNT
} osc_protocol;

/* "stream", "gptq", "wikitext2", "c4", "c4-new", "documents", "pieces", "tokens". */
const char *osc_protocol_name(osc_protocol protocol);
/* One sentence that says what was done (bos, join, windows), for printing beside
 * a number; static. */
const char *osc_protocol_summary(osc_protocol protocol);
/* OSC_EINVAL names the nearest valid protocol. */
osc_status osc_protocol_parse(osc_protocol *protocol, const char *name);

typedef struct {
    osc_protocol protocol;
    size_t       length;      /* S, ids per sequence including bos, at least 2 */
    size_t       sequences;   /* use at most so many; 0: all */
    int32_t      bos;         /* id put in front, -1: none (then windows have S ids) */
} osc_window_options;

typedef struct {
    int32_t     *ids;         /* [offset[count]], all sequences one after another */
    size_t      *offset;      /* [count + 1] where sequences begin in ids; offset[0] is 0 but
                                 in a share */
    size_t       count;       /* sequences, at least 1 */
    size_t       longest;     /* ids of the longest sequence */
    osc_protocol protocol;
    size_t       length;      /* S as asked for; for OSC_TOKENS the longest */
    int32_t      bos;         /* -1: none */
    size_t       documents;   /* documents that the text had; 0 for OSC_TOKENS */
    size_t       tokens;      /* ids that were cut, bos of the text or its documents included */
    char         digest[OSC_DIGEST_HEX];   /* of the text or token file */
} osc_corpus;

/* Tokenizes the documents and cuts them into sequences.  The last window of
 * `stream`, or piece of a document, may be shorter (at least 2 ids); the published ones
 * drop it.  A text too short for one sequence is OSC_EFORMAT.  With `sequences` set, only
 * as much text is tokenized as needed for stream, documents and pieces. */
osc_status osc_corpus_make(osc_corpus **corpus, const osc_documents *documents,
                           const osc_tokenizer *tokenizer, const osc_window_options *options);

/* Reads a token file: one sequence a line, ids in decimal separated by spaces;
 * empty lines are skipped.  OSC_EFORMAT names the line. */
osc_status osc_corpus_read_tokens(osc_corpus **corpus, const char *path, size_t sequences);

/* OSC_EVALUE, naming sequence and position, unless all ids are in 0..vocabulary-1
 * and no sequence is longer than `positions` or shorter than 2. */
osc_status osc_corpus_check(const osc_corpus *corpus, size_t vocabulary, size_t positions);

/* Share number `shard` (1 .. shards) of the sequences: contiguous, shares in order, sizes
 * that differ by one at most.  A view that borrows the corpus' arrays and is not freed;
 * `offset` then need not begin at 0.  OSC_EINVAL unless every share has a sequence. */
osc_status osc_corpus_share(osc_corpus *share, const osc_corpus *corpus, size_t shard,
                            size_t shards);

void osc_corpus_free(osc_corpus *corpus);

#endif
