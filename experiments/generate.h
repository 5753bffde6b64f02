/* Text from a model, a prompt after the other: the parts of `generate`. */
#ifndef EXPERIMENTS_GENERATE_H
#define EXPERIMENTS_GENERATE_H

#include "experiments/run.h"

typedef struct {
    run_options  run;            /* text, tokens, tokenizer, bos, backend, threads */
    const char  *model, *scheme; /* NULL: default */
    cli_list     prompts;
    size_t       length;         /* ids of a prompt that are used; 0: default */
    size_t       max;            /* new ids */
    osc_sampling sampling;
    bool         ignore_eos;
    bool         json;
} generate_options;

/* --- prompts (generate_prompts.c) ------------------------------------------------- */

typedef struct {
    osc_ids  ids;         /* all prompts one after another */
    size_t  *offset;      /* [count + 1] where they begin */
    size_t   count, capacity;
    size_t   longest;
} generate_prompts;

/* Those of --prompt, --text or --tokens, or the beginning of the shipped text; checked
 * against the model.  `tokenizer` may be NULL with --tokens alone. */
osc_status generate_read_prompts(generate_prompts *prompts, const osc_model *model,
                                 const osc_tokenizer *tokenizer, const generate_options *o);
void generate_free_prompts(generate_prompts *prompts);

enum { GENERATE_ENDS = 16 };

typedef struct {
    int32_t id[GENERATE_ENDS];
    size_t  count;
} generate_ends;

/* Ids that end a text: eos_token_id, one or several, of generation_config.json or else of
 * config.json; none if neither has it. */
osc_status generate_read_ends(generate_ends *ends, const osc_model *model);

/* --- one text (generate_text.c) ---------------------------------------------------- */

typedef struct {
    char  *text;          /* owned; NUL-terminated and with NULs that were generated */
    size_t size, capacity;
} generate_string;

typedef struct {
    const int32_t  *prompt;          /* [prompt_count], borrowed */
    size_t          prompt_count;
    int32_t        *ids;             /* [count] new ids, owned; the one that ended it included */
    size_t          count;
    generate_string before, after;   /* text of the prompt and of the new ids */
    const char     *stopped;         /* "eos", "max", "positions", "signal" */
    double          prefill;         /* seconds of the prompt's pass, */
    double          first;           /* from its beginning to the first new id, */
    double          decode;          /* and from there to the last */
} generated_text;

typedef struct {
    osc_session            *session;
    osc_sampler            *sampler;
    osc_decoder            *decoder;   /* NULL: ids alone */
    generate_ends           ends;
    const generate_options *options;
    size_t                  positions;
} generator;

/* Continues prompt number `index`; unless options->json, writes the text, or the ids, to
 * stdout as it grows.  `text` is to be freed after errors too. */
osc_status generate_text(generated_text *text, const generator *g,
                         const generate_prompts *prompts, size_t index);
void generate_free_text(generated_text *text);

#endif
