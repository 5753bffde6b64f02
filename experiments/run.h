/* What the commands that run a model share: their options, and from options to a
 * model, a corpus and a session. */
#ifndef EXPERIMENTS_RUN_H
#define EXPERIMENTS_RUN_H

#include <stdint.h>

#include "cli/cli.h"
#include "osc.h"

#define RUN_DEFAULT_TEXT "sampled.txt"

typedef struct {
    const char *text, *tokens, *tokenizer;   /* NULL: default */
    const char *protocol;                    /* NULL: stream */
    size_t      length;                      /* 0: default */
    size_t      sequences;                   /* 0: all */
    size_t      bos;                         /* SIZE_MAX: the model's */
    bool        no_bos;
    const char *backend;                     /* NULL: default */
    size_t      threads, chunk;              /* 0: default */
    bool        allow_nonfinite;
    const char *devices;                     /* NULL: device 0 */
    double      memory;                      /* 10^9 bytes; 0: what is available */
} run_options;

#define RUN_OPTIONS_DEFAULT { .bos = SIZE_MAX }

/* Rows of an option table for `run_options o`. */
#define RUN_OPTION_ROWS(o) RUN_TEXT_ROWS(o), RUN_DEVICE_ROWS(o)

/* What to run over ... */
#define RUN_TEXT_ROWS(o)                                                                       \
    { "text", 0, CLI_TEXT, "FILE", "text to run over: plain, .jsonl, .json.gz "                \
      "(default: the shipped sampled.txt)", &(o).text, 0, 0 },                                 \
    { "tokens", 0, CLI_TEXT, "FILE", "ids to run over instead of a text, a sequence a line",   \
      &(o).tokens, 0, 0 },                                                                     \
    { "protocol", 0, CLI_TEXT, "NAME", "how the text is cut: stream, gptq, wikitext2, c4, "    \
      "c4-new, documents or pieces (default: stream)", &(o).protocol, 0, 0 },                  \
    { "length", 0, CLI_SIZE, "S", "ids per sequence, bos included "                            \
      "(default: the model's positions, 2048 at most)", &(o).length, 2, 1 << 24 },             \
    { "sequences", 0, CLI_SIZE, "N", "use the first N sequences (default: all)",               \
      &(o).sequences, 1, INT32_MAX },                                                          \
    { "bos", 0, CLI_SIZE, "ID", "id in front of texts (default: what the tokenizer's "         \
      "files or config.json say)", &(o).bos, 0, INT32_MAX },                                   \
    { "no-bos", 0, CLI_SWITCH, NULL, "put no id in front of texts", &(o).no_bos, 0, 0 }

/* ... and how, which commands without a text have too. */
#define RUN_DEVICE_ROWS(o)                                                                     \
    { "tokenizer", 0, CLI_TEXT, "DIR", "folder of the tokenizer (default: the model's)",       \
      &(o).tokenizer, 0, 0 },                                                                  \
    { "backend", 0, CLI_TEXT, "NAME", "where to compute (default: cpu)", &(o).backend, 0, 0 }, \
    { "threads", 0, CLI_SIZE, "N", "threads (default: all processors); "                       \
      "results do not depend on it", &(o).threads, 1, 4096 },                                  \
    { "chunk", 0, CLI_SIZE, "N", "sequences that go through a block together "                 \
      "(default: as many as fit in 64 MiB)", &(o).chunk, 1, INT32_MAX },                       \
    { "allow-nonfinite", 0, CLI_SWITCH, NULL, "go on although a weight is NaN or infinite",    \
      &(o).allow_nonfinite, 0, 0 },                                                            \
    { "devices", 0, CLI_TEXT, "LIST", "devices of the backend: 0,1 gives each half of the "    \
      "blocks (default: 0)", &(o).devices, 0, 0 },                                             \
    { "memory", 0, CLI_NUMBER, "GB", "memory to use at most, of a GPU its own, in 10^9 "        \
      "bytes (default: what is free); results do not depend on it", &(o).memory, 1e-3, 1e6 }

/* A row for commands that can tell what they would take (dry_run.h). */
#define RUN_DRY_ROW(target)                                                                    \
    { "dry-run", 0, CLI_SWITCH, NULL, "only say how much memory and time it would take",       \
      &(target), 0, 0 }

/* A model and the sequences to run it over. */
typedef struct {
    osc_model  *model;
    osc_corpus *corpus;
    char        tokenizer_digest[OSC_DIGEST_HEX];   /* "" for --tokens */
} run_input;

/* Checks what can be wrong with the options alone: CLI_DONE or an exit status. */
int run_check_options(const cli_command *command, const run_options *options);

/* A copy of `path`, or the path of the shipped file `name` if it is NULL; owned by
 * the caller (osc_free), NULL with the message set if there is none. */
char *run_shipped_or(const char *path, const char *name);

/* The tokenizer in `folder`, or if that is NULL the model's. */
osc_status run_open_tokenizer(osc_tokenizer **tokenizer, const osc_model *model,
                              const char *folder);
/* The documents of --text, or the shipped text's. */
osc_status run_text(osc_documents **documents, const char *path);
/* The id in front of texts, -1: none: what the tokenizer's files say, else the model's
 * architecture. */
int32_t run_usual_bos(const osc_config *config, const osc_tokenizer *tokenizer);
/* The same, unless the options say another. */
int32_t run_bos(const osc_config *config, const osc_tokenizer *tokenizer, const run_options *o);

/* Opens a model, makes the corpus for it and checks it against the model. */
osc_status run_open(run_input *input, const char *model_path, const run_options *options);
void run_close(run_input *input);

/* The options of such a session; `label` may be NULL, as may `scheme`. */
osc_session_options run_session_options(const run_input *input, const char *scheme,
                                        const char *label, const run_options *options);

/* A session for the input; its progress on stderr is called `label`, which must
 * live as long as the session. */
osc_status run_session(osc_session **session, const run_input *input, const char *scheme,
                       const char *label, const run_options *options);

/* Says what the numbers were measured on: protocol, sequences, bos. */
void run_print_protocol(osc_protocol protocol, size_t sequences, size_t length, int32_t bos);

#endif
