/* Files of zero-shot tasks to contexts and continuations, by lm-evaluation-harness's rules,
 * and these to ids.  The sentences were made for this test. */
#include <config.h>
#include "run.h"
#include "text.h"

#include <zlib.h>

#include "base/alloc.h"
#include "text/requests.h"
#include "text/task.h"

static const osc_task *task_of(const char *name)
{
    const osc_task *task = NULL;
    ck_assert_int_eq(osc_task_find(&task, name), OSC_OK);
    return task;
}

static osc_items *items_ok(const char *task, const char *name, const char *labels, size_t most)
{
    osc_items *items = NULL;
    osc_status status = osc_items_read(&items, task_of(task), in_folder(name),
                                       labels == NULL ? NULL : in_folder(labels), most);
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
    return items;
}

/* The pairs of an item as "context|target|characters", '/' between them, then the gold
 * choice. */
static const char *shown(const osc_items *items, size_t item)
{
    static char text[4096];
    size_t n = 0, choices = items->task->choices;
    for (size_t k = 0; k < choices; k++) {
        const osc_pair *p = &items->pair[item * choices + k];
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s|%.*s|%zu", k > 0 ? "/" : "",
                              (int)p->context_size, items->text + p->context,
                              (int)p->target_size, items->text + p->target, p->characters);
    }
    snprintf(text + n, sizeof text - n, "=%d", items->gold[item]);
    return text;
}

/* --- rules ------------------------------------------------------------------------------ */

#define HS(rest, label) "{\"activity_label\": \"Row\", " rest ", \"endings\": " \
    "[\"a\", \"b\", \"c\", \"d\"], \"label\": " label "}"
#define ENDINGS(query) query "| a|1/" query "| b|1/" query "| c|1/" query "| d|1"
#define ENDING(ending) "{\"activity_label\": \"R\", \"ctx\": \"x\", \"endings\": " \
    "[\"" ending "\", \"b\", \"c\", \"d\"], \"label\": 0}"
#define FIRST(target) "R: x|" target "/R: x| b|1/R: x| c|1/R: x| d|1=0"

static const struct { const char *task, *record, *expected; } rules[] = {
    /* the last U+0020 splits; line breaks and other white space stay where they are */
    { "lambada", "{\"text\": \"She shut the door\"}", "She shut the| door|4=0" },
    { "lambada", "{\"text\": \"One.\\n\\n\\\"Two,\\\" said\\nTom\"}",
      "One.\n\n\"Two,\"| said\nTom|8=0" },
    { "lambada", "{\"text\": \"a  b\"}", "a | b|1=0" },
    { "lambada", "{\"text\": \"a b \"}", "a b| |0=0" },
    { "lambada", "{\"text\": \"a\xc2\xa0 \xe2\x80\x9cz\xe2\x80\x9d\"}",
      "a\xc2\xa0| \xe2\x80\x9cz\xe2\x80\x9d|3=0" },
    { "lambada", "{\"text\": \"word\"}", "| word|4=0" },
    /* partial evaluation: the context varies, the continuation is one; it keeps a blank before
     * punctuation; the first _ counts; the answer counts from 1 */
    { "winogrande", "{\"sentence\": \"Ann met Eve, for _ was lost.\", \"option1\": \"Ann\", "
      "\"option2\": \"Eve\", \"answer\": \"2\"}",
      "Ann met Eve, for Ann| was lost.|9/Ann met Eve, for Eve| was lost.|9=1" },
    { "winogrande", "{\"sentence\": \"It is _'s hat. \", \"option1\": \"Al\", \"option2\": \"Bo\", "
      "\"answer\": 1}", "It is Al| 's hat.|7/It is Bo| 's hat.|7=0" },
    { "winogrande", "{\"sentence\": \"_ and _ .\", \"option1\": \"\xc3\x89l\", \"option2\": \"B\", "
      "\"answer\": \"1\"}", "\xc3\x89l| and _ .|7/B| and _ .|7=0" },
    { "winogrande", "{\"sentence\": \"end _\", \"option1\": \"A\", \"option2\": \"B\", "
      "\"answer\": \"1\"}", "end A| |0/end B| |0=0" },
    /* PIQA */
    { "piqa", "{\"goal\": \"Dry boots?\", \"sol1\": \"Paper.\", \"sol2\": \" \xc3\xa9 \", "
      "\"label\": 1}", "Question: Dry boots?\nAnswer:| Paper.|6/"
      "Question: Dry boots?\nAnswer:|  \xc3\xa9 |3=1" },
    /* HellaSwag: ctx_b is capitalized, all else of it lower case; an empty one leaves no blank */
    { "hellaswag", HS("\"ctx_a\": \"It rains.\", \"ctx_b\": \"the MAN\"", "2"),
      ENDINGS("Row: It rains. The man") "=2" },
    { "hellaswag", HS("\"ctx_a\": \"It rains.\", \"ctx_b\": \"\"", "\"3\""),
      ENDINGS("Row: It rains.") "=3" },
    { "hellaswag", HS("\"ctx_a\": \"A.\", \"ctx_b\": \"\xc3\xa9T\xc3\x89\"", "0"),
      ENDINGS("Row: A. \xc3\x89t\xc3\xa9") "=0" },
    { "hellaswag", HS("\"ctx_a\": \"A.\", \"ctx_b\": \"x $1 \\\\\\\\L\"", "0"),
      ENDINGS("Row: A. X $1 \\\\l") "=0" },
    /* the form with ctx alone is taken as it stands */
    { "hellaswag", HS("\"ctx\": \"It rains. the man\"", "1"),
      ENDINGS("Row: It rains. the man") "=1" },
    /* clean-up, in this order: strip, [title], brackets, two blanks */
    { "hellaswag", HS("\"ctx\": \"[header] Sow [title] Dig. [step] Wait.\"", "0"),
      ENDINGS("Row: Sow. Dig. Wait.") "=0" },
    { "hellaswag", HS("\"ctx\": \"a [x\\ny] b [c [d] e] [ f\"", "0"),
      ENDINGS("Row: a [x\ny] b e] [ f") "=0" },
    { "hellaswag", HS("\"ctx\": \"[] ][ [[a]] [b\\n]c[d]\"", "0"),
      ENDINGS("Row: ]] [b\n]c") "=0" },
    { "hellaswag", HS("\"ctx\": \"a   b    c\"", "0"), ENDINGS("Row: a  b  c") "=0" },
    { "hellaswag", HS("\"ctx\": \"ends [step]\"", "0"), ENDINGS("Row: ends ") "=0" },
    /* choices are cleaned too; what stood behind a bracket keeps its blank, which counts */
    { "hellaswag", ENDING("[step] Go on."), FIRST("  Go on.|7") },
    { "hellaswag", ENDING("\\u00a0\\u2003\\u001c\\u3000go.\\u0085\\u2028\\t"), FIRST(" go.|3") },
    { "hellaswag", ENDING("\\u200bgo\\u180e"), FIRST(" \xe2\x80\x8bgo\xe1\xa0\x8e|4") },
    { "hellaswag", ENDING(""), FIRST(" |0") },
    { "hellaswag", ENDING("a [title] b"), FIRST(" a. b|4") },
    { "hellaswag", ENDING("a[title]b"), FIRST(" ab|2") },
};

START_TEST(test_rules)
{
    put_text("a.jsonl", rules[_i].record);
    osc_items *items = items_ok(rules[_i].task, "a.jsonl", NULL, 0);
    ck_assert_uint_eq(items->count, 1);
    ck_assert_str_eq(shown(items, 0), rules[_i].expected);
    osc_items_free(items);
}
END_TEST

/* --- files ------------------------------------------------------------------------------- */

#define SOLVE(n) "{\"goal\": \"g" n "\", \"sol1\": \"a\", \"sol2\": \"b\"}\n"

START_TEST(test_labels)
{
    put_text("valid.jsonl", SOLVE("1") "\n" SOLVE("2") SOLVE("3"));
    put_text("valid-labels.lst", "0\n1\r\n1\n");
    put_text("other", "1\n0\n0");
    osc_items *items = items_ok("piqa", "valid.jsonl", NULL, 0);
    ck_assert_uint_eq(items->count, 3);
    ck_assert_int_eq(items->gold[0] * 100 + items->gold[1] * 10 + items->gold[2], 11);
    char digest[OSC_DIGEST_HEX];
    memcpy(digest, items->digest, sizeof digest);
    osc_items_free(items);
    items = items_ok("piqa", "valid.jsonl", "other", 0);
    ck_assert_int_eq(items->gold[0] * 100 + items->gold[1] * 10 + items->gold[2], 100);
    ck_assert_str_ne(items->digest, digest);
    osc_items_free(items);
    items = items_ok("piqa", "valid.jsonl", NULL, 2);   /* the first of them */
    ck_assert_uint_eq(items->count, 2);
    ck_assert_str_eq(items->digest, digest);
    osc_items_free(items);
}
END_TEST

START_TEST(test_gzip)
{
    gzFile file = gzopen(in_folder("a.jsonl.gz"), "wb");
    gzputs(file, "{\"text\": \"a b\"}\n");
    gzclose(file);
    osc_items *items = items_ok("lambada", "a.jsonl.gz", NULL, 0);
    ck_assert_str_eq(shown(items, 0), "a| b|1=0");
    osc_items_free(items);
}
END_TEST

static const struct { const char *task, *text, *labels, *says; } bad[] = {
    { "lambada", "", NULL, "a.jsonl: has no items" },
    { "lambada", "\n \n", NULL, "has no items" },
    { "lambada", "{\"text\": \"a b\"}\n{\"text\": 3}", NULL,
      "line 2: expected .* string \"text\"" },
    { "lambada", "{\"text\": \"\"}", NULL, "line 1: \"text\" is empty" },
    { "lambada", "{\"text\": \"a b\"", NULL, "line 1: not valid JSON" },
    { "lambada", "{\"text\": \"a\\u0000 b\"}", NULL, "line 1: not valid JSON" },
    { "lambada", "{\"text\": \"a \xff\"}", NULL, "line 1: not valid JSON" },
    { "lambada", "[1]", NULL, "expected a JSON object" },
    { "lambada", "7", NULL, "expected a JSON object" },
    { "lambada", "{\"text\": \"a\", \"text\": \"b\"}", NULL, "not valid JSON" },
    { "piqa", SOLVE("1"), NULL, "item 1 does not tell the right choice" },
    { "piqa", SOLVE("1"), "0\n1\n", "a-labels.lst: has 2 labels for 1 items" },
    { "piqa", SOLVE("1") SOLVE("2"), "0\n", "has 1 labels for 2 items" },
    { "piqa", SOLVE("1"), "2\n", "item 1: choice 2 of 2" },
    { "piqa", SOLVE("1"), "x\n", "a-labels.lst: line 1: expected the number" },
    { "piqa", SOLVE("1"), "10\n", "expected the number" },
    { "piqa", "{\"goal\": \"g\", \"sol1\": \"a\", \"label\": 0}", NULL, "string \"sol2\"" },
    { "piqa", "{\"goal\": \"g\", \"sol1\": \"a\", \"sol2\": \"b\", \"label\": 0.5}", NULL,
      "\"label\" is not the number" },
    { "piqa", "{\"goal\": \"g\", \"sol1\": \"a\", \"sol2\": \"b\", \"label\": [0]}", NULL,
      "\"label\" is not the number" },
    { "winogrande", "{\"sentence\": \"none\", \"option1\": \"a\", \"option2\": \"b\", "
      "\"answer\": \"1\"}", NULL, "no blank" },
    { "winogrande", "{\"sentence\": \"a _\", \"option1\": \"a\", \"option2\": \"b\", "
      "\"answer\": \"\"}", NULL, "does not tell" },
    { "winogrande", "{\"sentence\": \"a _\", \"option1\": \"a\", \"option2\": \"b\", "
      "\"answer\": \"3\"}", NULL, "choice 2 of 2" },
    { "winogrande", "{\"sentence\": \"a _\", \"option1\": \"a\", \"option2\": \"b\", "
      "\"answer\": \"0\"}", NULL, "does not tell" },
    { "hellaswag", HS("\"ctx\": \"x\"", "4"), NULL, "choice 4 of 4" },
    { "hellaswag", HS("\"ctx\": \"x\"", "\"\""), NULL, "does not tell" },
    { "hellaswag", HS("\"ctx\": \"x\"", "-1"), NULL, "\"label\" is not" },
    { "hellaswag", HS("\"ctx_a\": \"x\"", "0"), NULL, "string \"ctx_b\"" },
    { "hellaswag", HS("\"other\": \"x\"", "0"), NULL, "string \"ctx\"" },
    { "hellaswag", "{\"activity_label\": \"R\", \"ctx\": \"x\", "
      "\"endings\": [\"a\", \"b\", \"c\"], \"label\": 0}", NULL, "not 4 strings" },
    { "hellaswag", "{\"activity_label\": \"R\", \"ctx\": \"x\", \"endings\": [1, 2, 3, 4], "
      "\"label\": 0}", NULL, "not 4 strings" },
};

/* `says` with ".*" for what may stand between. */
static bool message_has(const char *says)
{
    const char *star = strstr(says, ".*"), *at = osc_error();
    if (star == NULL)
        return strstr(at, says) != NULL;
    char first[256];
    snprintf(first, sizeof first, "%.*s", (int)(star - says), says);
    at = strstr(at, first);
    return at != NULL && strstr(at + strlen(first), star + 2) != NULL;
}

START_TEST(test_bad_files)
{
    osc_items *items = NULL;
    put_text("a.jsonl", bad[_i].text);
    if (bad[_i].labels != NULL)
        put_text("a-labels.lst", bad[_i].labels);
    ck_assert_int_eq(osc_items_read(&items, task_of(bad[_i].task), in_folder("a.jsonl"), NULL, 0),
                     OSC_EFORMAT);
    ck_assert_ptr_null(items);
    ck_assert_msg(message_has(bad[_i].says), "\"%s\" lacks \"%s\"", osc_error(), bad[_i].says);
}
END_TEST

/* Brackets that never close take no longer than others. */
START_TEST(test_many_brackets)
{
    enum { MANY = 4 << 20 };
    char *record = osc_alloc(MANY + 512, 1);
    int at = sprintf(record, "{\"activity_label\": \"R\", \"ctx\": \"");
    memset(record + at, '[', MANY);
    strcpy(record + at + MANY, "\", \"endings\": [\"a\", \"b\", \"c\", \"d\"], \"label\": 0}");
    put_text("a.jsonl", record);
    osc_items *items = items_ok("hellaswag", "a.jsonl", NULL, 0);
    ck_assert_uint_eq(items->pair[0].context_size, MANY + strlen("R: "));
    osc_items_free(items);
    osc_free(record);
}
END_TEST

START_TEST(test_names)
{
    const osc_task *task;
    osc_items *items;
    ck_assert_int_eq(osc_task_find(&task, "helaswag"), OSC_EINVAL);
    ck_assert(message_has("did you mean 'hellaswag'"));
    ck_assert_int_eq(osc_items_read(&items, task_of("piqa"), in_folder("none"), NULL, 0),
                     OSC_ENOTFOUND);
    for (size_t i = 0; osc_tasks[i] != NULL; i++)
        ck_assert_uint_le(osc_tasks[i]->choices, OSC_TASK_CHOICES);
}
END_TEST

/* --- ids ----------------------------------------------------------------------------------- */

/* Bytes are ids; " b" and "bc" are merged, 256 and 257; bos is 300. */
static osc_tokenizer *tokenizer_of_bytes(void)
{
    put_text("vocab.json", byte_vocab(-1, ",\"\xc4\xa0" "b\":256,\"bc\":257"));
    put_text("merges.txt", "#version: 0.2\n\xc4\xa0 b\nb c\n");
    return open_ok(folder);
}

/* A request as its ids, '>' before each that is scored. */
static const char *ids_shown(const osc_requests *r, size_t i)
{
    static char text[1024];
    size_t n = 0;
    text[0] = '\0';
    for (size_t t = r->corpus.offset[i]; t < r->corpus.offset[i + 1]; t++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", n > 0 ? " " : "",
                              (int)r->corpus.ids[t]);
        if (r->targets[t] >= 0)
            n += (size_t)snprintf(text + n, sizeof text - n, ">%d", (int)r->targets[t]);
    }
    return text;
}

static const struct { const char *text; int bos, prefix; size_t longest; const char *expected; }
encodings[] = {
    { "a b", 300, 300, 9, "300 97>256" },
    { "a b", -1, 300, 9, "97>256" },
    { "ab c", -1, -1, 9, "97 98>32 32>99" },
    { "b", 300, 300, 9, "300>256" },              /* an empty context: bos */
    { "b", -1, 300, 9, "300>256" },               /* even without one elsewhere */
    { "a  b", 300, 300, 9, "300 97>32 32>256" },  /* the context's blank goes to the target */
    { "  b", -1, 300, 9, "300>32 32>256" },
    { "a\n b", 300, 300, 9, "300 97>10 10>256" },
    { "a\nd b", 300, 300, 9, "300 97 10 100>256" },
    { "aaaa bc", 300, 300, 3, "97 97>256 256>99" },   /* the beginning is cut, bos and all */
    { "aaaa bc", 300, 300, 2, "97>256 256>99" },
    { "aaaa b", 300, 300, 6, "300 97 97 97 97>256" },
};

START_TEST(test_ids)
{
    osc_tokenizer *tokenizer = tokenizer_of_bytes();
    osc_requests *r = NULL;
    char record[128];
    json_t *text = json_pack("{s:s}", "text", encodings[_i].text);
    char *dump = json_dumps(text, JSON_COMPACT);
    snprintf(record, sizeof record, "%s", dump);
    free(dump);
    json_decref(text);
    put_text("a.jsonl", record);
    osc_items *items = items_ok("lambada", "a.jsonl", NULL, 0);
    osc_request_options options = { .bos = encodings[_i].bos, .prefix = encodings[_i].prefix,
                                    .longest = encodings[_i].longest, .vocabulary = 301 };
    osc_status status = osc_requests_make(&r, items, tokenizer, &options);
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
    ck_assert_str_eq(ids_shown(r, 0), encodings[_i].expected);
    ck_assert_uint_eq(r->truncated, encodings[_i].longest < 4);
    osc_requests_free(r);
    osc_items_free(items);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_ids_refused)
{
    static const struct {
        const char *text; osc_request_options options; const char *says;
    } cases[] = {
        { "a b", { .bos = -1, .prefix = -1, .longest = 9, .vocabulary = 256 },
          "item 1: id 256 is outside the vocabulary of 256" },
        { "b", { .bos = -1, .prefix = -1, .longest = 9, .vocabulary = 300 }, "an empty context" },
        { "a cdef", { .bos = -1, .prefix = -1, .longest = 4, .vocabulary = 300 },
          "a continuation of 5 ids, the model takes 4" },
    };
    osc_tokenizer *tokenizer = tokenizer_of_bytes();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_requests *r = NULL;
        char record[64];
        snprintf(record, sizeof record, "{\"text\": \"%s\"}", cases[i].text);
        put_text("a.jsonl", record);
        osc_items *items = items_ok("lambada", "a.jsonl", NULL, 0);
        ck_assert_int_eq(osc_requests_make(&r, items, tokenizer, &cases[i].options), OSC_EVALUE);
        ck_assert_ptr_null(r);
        ck_assert_msg(message_has(cases[i].says), "\"%s\"", osc_error());
        osc_items_free(items);
    }
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* Longest first, of equals the first; choices that share a context. */
START_TEST(test_order)
{
    osc_tokenizer *tokenizer = tokenizer_of_bytes();
    osc_requests *r = NULL;
    put_text("a.jsonl", HS("\"ctx\": \"x\"", "0") "\n"
             "{\"activity_label\": \"R\", \"ctx\": \"x\", "
             "\"endings\": [\"b\", \"cde\", \"bb\", \"ff\"], \"label\": 1}");
    osc_items *items = items_ok("hellaswag", "a.jsonl", NULL, 0);
    osc_request_options options = { .bos = 300, .prefix = 300, .longest = 64, .vocabulary = 301 };
    ck_assert_int_eq(osc_requests_make(&r, items, tokenizer, &options), OSC_OK);
    static const size_t order[] = { 0, 2, 3, 5, 1, 7, 6, 4 }, scored[] = { 2, 2, 2, 4, 1, 3, 2, 1 };
    ck_assert_uint_eq(r->corpus.count, 8);
    for (size_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(r->pair[i], order[i]);
        ck_assert_uint_eq(r->scored[i], scored[i]);
    }
    ck_assert_uint_eq(r->corpus.longest, r->corpus.offset[1]);
    ck_assert_str_eq(ids_shown(r, 7), "300 82 58 32 120>256");
    osc_requests_free(r);
    osc_items_free(items);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_out_of_memory)
{
    osc_tokenizer *tokenizer = tokenizer_of_bytes();
    osc_request_options options = { .bos = 300, .prefix = 300, .longest = 64, .vocabulary = 301 };
    osc_status status = OSC_ENOMEM;
    put_text("valid.jsonl", SOLVE("1") SOLVE("2"));
    put_text("valid-labels.lst", "0\n1\n");
    for (size_t n = 1; status != OSC_OK; n++) {
        osc_items *items = NULL;
        osc_requests *r = NULL;
        osc_alloc_fail_from(n);
        status = osc_items_read(&items, task_of("piqa"), in_folder("valid.jsonl"), NULL, 0);
        if (status == OSC_OK)
            status = osc_requests_make(&r, items, tokenizer, &options);
        osc_alloc_fail_from(0);
        ck_assert_msg(status == OSC_OK || status == OSC_ENOMEM, "allocation %zu: %s", n,
                      osc_error());
        osc_requests_free(r);
        osc_items_free(items);
    }
    osc_tokenizer_close(tokenizer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("task");
    TCase *tc = tcase_create("task");
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_loop_test(tc, test_rules, 0, sizeof rules / sizeof *rules);
    tcase_add_test(tc, test_labels);
    tcase_add_test(tc, test_gzip);
    tcase_add_loop_test(tc, test_bad_files, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tc, test_many_brackets);
    tcase_add_test(tc, test_names);
    tcase_add_loop_test(tc, test_ids, 0, sizeof encodings / sizeof *encodings);
    tcase_add_test(tc, test_ids_refused);
    tcase_add_test(tc, test_order);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
