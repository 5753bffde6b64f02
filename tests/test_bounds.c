/* The most memory that reading a file takes, for each kind of file and what is made to be the
 * worst of its kind: SECURITY.md's multiples of the file's size. */
#include <config.h>
#include "run.h"

#include "counted.h"
#include "text.h"
#include "torch_file.h"

#include <sys/stat.h>

#include "base/alloc.h"
#include "quant/columns.h"
#include "record_sim.h"
#include "store/store.h"
#include "text/task.h"

enum {
    SIZE = 600000,      /* about, of a file */
    MIB = 1 << 20       /* bytes that any file may take */
};

#define GROW(from, to) \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"" to "\"},"

/* --- contents --------------------------------------------------------------------- */

/* Four characters that are another word for each of the first 32^4 numbers. */
static void add_word(struct bytes *b, size_t number)
{
    for (int i = 0; i < 4; i++, number /= 32)
        add(b, &"abcdefghijklmnopqrstuvwxyz012345"[number % 32], 1);
}

static void add_decimal(struct bytes *b, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    add_text(b, text);
}

/* `unit` until the file has SIZE bytes; in it # is another word each time, @ a number that
 * grows by `step`, % the same in four bytes. */
static struct bytes content(const char *before, const char *unit, size_t step, const char *after)
{
    struct bytes b = { NULL, 0, 0 };
    add_text(&b, before);
    for (size_t i = 0; b.size < SIZE; i++)
        for (const char *c = unit; *c != '\0'; c++) {
            if (*c == '#')
                add_word(&b, i);
            else if (*c == '@')
                add_decimal(&b, (i + 1) * step);
            else if (*c == '%')
                add_number(&b, (i + 1) * step, 4);
            else
                add(&b, c, 1);
        }
    add_text(&b, after);
    return b;
}

static struct bytes copies(const char *text, size_t count)
{
    struct bytes b = { NULL, 0, 0 };
    while (count-- > 0)
        add_text(&b, text);
    return b;
}

/* --- readers: the folder has the file, whose bytes they are -------------------------- */

static osc_status read_store(void)
{
    osc_store *store;
    OSC_TRY(osc_store_open(&store, folder));
    osc_store_close(store);
    return OSC_OK;
}

static osc_status put_and_read_config(const struct bytes *b)
{
    put("model.safetensors", "\2\0\0\0\0\0\0\0{}", 10);
    put("config.json", b->data, b->size);
    return read_store();
}

static osc_status put_and_read_index(const struct bytes *b)
{
    put_text("config.json", "{}");
    put("model.safetensors.index.json", b->data, b->size);
    return read_store();
}

/* The contents are the header. */
static osc_status put_and_read_safetensors(const struct bytes *b)
{
    struct bytes file = { NULL, 0, 0 };
    add_number(&file, b->size, 8);
    add(&file, b->data, b->size);
    put_text("config.json", "{}");
    put("model.safetensors", file.data, file.size);
    free(file.data);
    counted_start();          /* what made the file does not count */
    return read_store();
}

/* The contents are data.pkl but for its beginning. */
static osc_status put_and_read_pickle(const struct bytes *b)
{
    static struct zip_file z;
    struct bytes pickle = { NULL, 0, 0 };
    add(&pickle, "\x80\2", 2);
    add(&pickle, b->data, b->size);
    memset(&z, 0, sizeof z);
    zip_add(&z, "archive/data.pkl", pickle.data, pickle.size);
    zip_finish(&z);
    put_text("config.json", "{}");
    put("pytorch_model.bin", z.bytes.data, z.bytes.size);
    free(pickle.data);
    free(z.bytes.data);
    counted_start();          /* what made the file does not count */
    return read_store();
}

static osc_status read_tokenizer(void)
{
    osc_tokenizer *tokenizer;
    OSC_TRY(osc_tokenizer_open(&tokenizer, folder));
    osc_tokenizer_close(tokenizer);
    return OSC_OK;
}

static osc_status put_and_read_vocab(const struct bytes *b)
{
    put("vocab.json", b->data, b->size);
    put_text("merges.txt", "");
    return read_tokenizer();
}

static osc_status put_and_read_merges(const struct bytes *b)
{
    put_text("vocab.json", byte_vocab(-1, ",\"ab\":256"));
    put("merges.txt", b->data, b->size);
    return read_tokenizer();
}

static osc_status put_and_read_tokenizer(const struct bytes *b)
{
    put("tokenizer.json", b->data, b->size);
    return read_tokenizer();
}

static osc_status read_documents(const char *name, const struct bytes *b)
{
    osc_documents *documents;
    put(name, b->data, b->size);
    OSC_TRY(osc_documents_read(&documents, in_folder(name)));
    osc_documents_free(documents);
    return OSC_OK;
}

static osc_status put_and_read_text(const struct bytes *b)  { return read_documents("a.txt", b); }
static osc_status put_and_read_lines(const struct bytes *b) { return read_documents("a.jsonl", b); }

/* The contents, compressed; nothing is in proportion to what the file seems to hold. */
static struct bytes compressed(const struct bytes *b)
{
    struct bytes file = { NULL, 0, 0 };
    static uint8_t piece[1 << 16];
    z_stream stream = { .zalloc = Z_NULL };
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = b->data;
    stream.avail_in = (uInt)b->size;
    do {
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        deflate(&stream, Z_FINISH);
        add(&file, piece, sizeof piece - stream.avail_out);
    } while (stream.avail_out == 0);
    deflateEnd(&stream);
    return file;
}

static osc_status put_and_read_text_gz(const struct bytes *b)
{
    return read_documents("a.txt.gz", b);
}

static osc_status put_and_read_lines_gz(const struct bytes *b)
{
    return read_documents("a.jsonl.gz", b);
}

static osc_status put_and_read_tokens(const struct bytes *b)
{
    osc_corpus *corpus;
    put("a.tokens", b->data, b->size);
    OSC_TRY(osc_corpus_read_tokens(&corpus, in_folder("a.tokens"), 0));
    osc_corpus_free(corpus);
    return OSC_OK;
}

static osc_status put_and_read_columns(const struct bytes *b)
{
    uint32_t *columns;
    size_t count;
    put("a.txt", b->data, b->size);
    OSC_TRY(osc_columns_read(&columns, &count, in_folder("a.txt"), 0, "qkv_in", 1 << 24));
    osc_free(columns);
    return OSC_OK;
}

static osc_status read_task(const char *task_name, const char *name, const struct bytes *b)
{
    const osc_task *task;
    osc_items *items;
    put(name, b->data, b->size);
    OSC_TRY(osc_task_find(&task, task_name));
    OSC_TRY(osc_items_read(&items, task, in_folder(name), NULL, 0));
    osc_items_free(items);
    return OSC_OK;
}

static osc_status put_and_read_lambada(const struct bytes *b)
{
    return read_task("lambada", "a.jsonl", b);
}

static osc_status put_and_read_hellaswag(const struct bytes *b)
{
    return read_task("hellaswag", "a.jsonl", b);
}

static osc_status make_corpus(void)
{
    static const osc_window_options options = { .protocol = OSC_STREAM, .length = 2, .bos = 0 };
    osc_documents *documents;
    osc_tokenizer *tokenizer = NULL;
    osc_corpus *corpus = NULL;
    OSC_TRY(osc_documents_read(&documents, in_folder("a.txt")));
    osc_status status = osc_tokenizer_open(&tokenizer, folder);
    if (status == OSC_OK)
        status = osc_corpus_make(&corpus, documents, tokenizer, &options);
    osc_corpus_free(corpus);
    osc_tokenizer_close(tokenizer);
    osc_documents_free(documents);
    return status;
}

/* Through a tokenizer, to windows. */
static osc_status put_and_make_corpus(const struct bytes *b)
{
    put_text("vocab.json", byte_vocab(-1, ""));
    put_text("merges.txt", "");
    put("a.txt", b->data, b->size);
    return make_corpus();
}

/* Through one whose every step makes the text as long as it may, and cuts it nowhere. */
static osc_status put_and_grow(const struct bytes *b)
{
    put_text("tokenizer.json",
             "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]},"
             "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
             "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"aaaaaaaa\"},"
             GROW("a", "b") GROW("b", "a") GROW("a", "b") GROW("b", "a") GROW("a", "b")
             GROW("b", "a") GROW("a", "b") GROW("b", "a") GROW("a", "b") GROW("b", "a")
             "{\"type\":\"Prepend\",\"prepend\":\"a\"}]}}");
    put("a.txt", b->data, b->size);
    return make_corpus();
}

/* --- the table ---------------------------------------------------------------------- */

/* Of tokenizer.json. */
#define VOCAB "{\"model\":{\"type\":\"BPE\",\"vocab\":{"
#define MERGES VOCAB "\"a\":0,\"b\":1,\"ab\":2},\"merges\":["
#define ADDED VOCAB "\"a\":0},\"merges\":[]},\"added_tokens\":["
#define EMPTY "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"
#define FIFTY "##################################################"

/* SECURITY.md's table has the multiples. */
static const struct {
    osc_status (*read)(const struct bytes *b);
    double      multiple;                 /* of the file's size, MIB aside */
    const char *before, *unit, *after;    /* what the file is made of */
    size_t      step;
    osc_status  status;
} cases[] = {
    { put_and_read_config, 32, "{\"a\":[", "[],", "0]}", 0, OSC_EFORMAT },
    { put_and_read_config, 32, "{\"a\":[", "{\"\":0},", "0]}", 0, OSC_EFORMAT },
    { put_and_read_config, 32, "{\"a\":[", "0,", "0]}", 0, OSC_OK },
    { put_and_read_config, 32, "{\"a\":[", "\"\",", "0]}", 0, OSC_OK },
    { put_and_read_config, 32, "{\"a\":[", "12,\"abcde\",[1,2],", "0]}", 0, OSC_OK },
    { put_and_read_config, 32, "{", "\"#\":0,", "\"a\":0}", 0, OSC_OK },
    { put_and_read_config, 32, "{\"a\":\"", "xxxx", "\"}", 0, OSC_OK },
    { put_and_read_index, 32, "{\"weight_map\":{", "\"#\":\"a\",", "\"a\":\"a\"}}", 0,
      OSC_ENOTFOUND },
    { put_and_read_index, 32, "{\"weight_map\":{", "\"#\":\"#\",", "\"a\":\"a\"}}", 0,
      OSC_ENOTFOUND },
    { put_and_read_safetensors, 16, "{", "\"#\":" EMPTY ",", "\"a\":" EMPTY "}", 0, OSC_OK },
    { put_and_read_safetensors, 16, "{\"__metadata__\":{", "\"#\":\"\",", "\"a\":\"\"}}", 0,
      OSC_OK },
    { put_and_read_safetensors, 16, "{\"a\":{\"x\":[", "[],", "0]}}", 0, OSC_EFORMAT },
    { put_and_read_safetensors, 16, "{\"", "xxxx", "\":" EMPTY "}", 0, OSC_EFORMAT },
    { put_and_read_pickle, 64, "", "N", ".", 0, OSC_EFORMAT },
    { put_and_read_pickle, 64, "", "(", ".", 0, OSC_EFORMAT },
    { put_and_read_pickle, 64, "", "}", ".", 0, OSC_EFORMAT },
    { put_and_read_pickle, 64, "N", "\x85", ".", 0, OSC_EFORMAT },
    { put_and_read_pickle, 64, "N", "r%", ".", 1, OSC_EFORMAT },
    { put_and_read_pickle, 64, "N", "r%", ".", 2, OSC_EFORMAT },
    { put_and_read_pickle, 64, "", "ctorch\nSize\n", ".", 0, OSC_EFORMAT },
    { put_and_read_pickle, 64, "}", "U\4#N", "s.", 0, OSC_EFORMAT },
    { put_and_read_vocab, 32, "{", "\"#\":@,", "\"a\":600000}", 1, OSC_EFORMAT },
    { put_and_read_vocab, 32, "{", "\"#\":@,", "\"a\":0}", 3, OSC_EFORMAT },
    { put_and_read_merges, 16, "", "a b\n", "", 0, OSC_OK },
    { put_and_read_merges, 16, "", "\n", "a b\n", 0, OSC_EFORMAT },
    { put_and_read_tokenizer, 128, VOCAB, "\"#\":@,", "\"a\":0},\"merges\":[]}}", 1, OSC_OK },
    { put_and_read_tokenizer, 128, VOCAB, "\"#\":@,", "\"a\":0},\"merges\":[]}}", 3, OSC_OK },
    { put_and_read_tokenizer, 128, MERGES, "\"a b\",", "\"a b\"]}}", 0, OSC_OK },
    { put_and_read_tokenizer, 128, MERGES, "[\"a\",\"b\"],", "\"a b\"]}}", 0, OSC_OK },
    { put_and_read_tokenizer, 128, ADDED, "{\"content\":\"#\",\"id\":@},",
      "{\"content\":\"zz\",\"id\":70000}]}", 3, OSC_OK },
    { put_and_read_tokenizer, 128, ADDED, "{\"content\":\"" FIFTY FIFTY FIFTY "\",\"id\":@},",
      "{\"content\":\"zz\",\"id\":3000}]}", 3, OSC_OK },
    { put_and_read_text, 4, "", "a\n<|endoftext|>\n", "", 0, OSC_OK },
    { put_and_read_lines, 32, "{\"text\":\"a\"}\n", "{\"text\":\"\"}\n", "", 0, OSC_OK },
    { put_and_read_lines, 32, "{\"text\":\"a\",\"x\":[", "[],", "0]}\n", 0, OSC_EFORMAT },
    { put_and_read_lines, 32, "{\"text\":\"a\",\"x\":[", "0,", "0]}\n", 0, OSC_OK },
    { put_and_read_lines, 32, "{\"text\":\"a\",\"x\":[", "\"\",", "0]}\n", 0, OSC_OK },
    { put_and_read_lambada, 32, "", "{\"text\":\"a b\"}\n", "", 0, OSC_OK },
    { put_and_read_hellaswag, 32, "{\"ctx_a\":\"", "xxxx", "\",\"ctx_b\":\"\",\"activity_label\":"
      "\"\",\"endings\":[\"\",\"\",\"\",\"\"],\"label\":0}\n", 0, OSC_OK },
    { put_and_read_tokens, 16, "", "0 ", "0", 0, OSC_OK },
    { put_and_read_tokens, 16, "", "0\n", "0", 0, OSC_OK },
    { put_and_read_tokens, 16, "", "\n", "0 0", 0, OSC_OK },
    { put_and_read_columns, 4, "blocks.0.qkv_in:", " @", "\n", 1, OSC_OK },
    { put_and_make_corpus, 64, "", "a\n<|endoftext|>\n", "", 0, OSC_OK },
    { put_and_make_corpus, 64, "", "xxxx", "", 0, OSC_OK },
    { put_and_make_corpus, 64, "", "x ", "", 0, OSC_OK },
    { put_and_grow, 1024, "", "x", "", 0, OSC_OK },
};

static void check(size_t peak, size_t size, double multiple, const char *what)
{
    ck_assert_msg((double)peak <= multiple * (double)size + MIB,
                  "%s: %zu bytes held for a file of %zu, at most %g times that are stated", what,
                  peak, size, multiple);
}

START_TEST(test_bounds)
{
    struct bytes b = content(cases[_i].before, cases[_i].unit, cases[_i].step, cases[_i].after);
    size_t start = counted_start();
    osc_status status = cases[_i].read(&b);
    check(counted_since(start), b.size, cases[_i].multiple, cases[_i].unit);
    ck_assert_msg(status == cases[_i].status, "%s...: %s: %s", cases[_i].before,
                  osc_status_name(status), status == OSC_OK ? "" : osc_error());
    free(b.data);
}
END_TEST

/* --- compressed texts ----------------------------------------------------------------- */

static const struct {
    const char *unit;
    size_t      count;
    osc_status (*read)(const struct bytes *b);
    double      multiple;      /* of 64 MiB */
    osc_status  status;
} bombs[] = {
    { "xxxxxxxxxxxxxxxxxxxx", 3000000, put_and_read_text_gz, 2, OSC_OK },
    { "xxxxxxxxxxxxxxxxxxxx", 5000000, put_and_read_text_gz, 2, OSC_EFORMAT },
    { "a\n<|endoftext|>\n", 3700000, put_and_read_text_gz, 4, OSC_OK },
    { "{\"text\":\"a\"}\n", 4600000, put_and_read_lines_gz, 32, OSC_OK },
    { "[[],[],[],[],[],[],[],[],[]],", 2000000, put_and_read_lines_gz, 32, OSC_EFORMAT },
};
enum { BOMBS = sizeof bombs / sizeof *bombs };

/* What a file expands to counts as its size: at most 32 times the file or 64 MiB. */
START_TEST(test_compressed)
{
    size_t expanded = (size_t)64 << 20;
    struct bytes b = copies(bombs[_i].unit, bombs[_i].count), z = compressed(&b);
    free(b.data);
    ck_assert_uint_lt(z.size, expanded / 32);
    size_t start = counted_start();
    osc_status status = bombs[_i].read(&z);
    check(counted_since(start), expanded, bombs[_i].multiple, bombs[_i].unit);
    ck_assert_int_eq(status, bombs[_i].status);
    free(z.data);
}
END_TEST

/* --- records ------------------------------------------------------------------------- */

/* HDF5 has caches, whatever the file. */
START_TEST(test_record)
{
    uint64_t digest;
    struct stat info;
    enum { CACHES = 2 };
    ck_assert(sim_set_up());
    sim_make(sim_a);
    ck_assert_int_eq(stat(sim_a, &info), 0);
    size_t start = counted_start();
    ck_ok(sim_digest(sim_a, &digest));
    size_t peak = counted_since(start);
    check(peak < CACHES * MIB ? 0 : peak - CACHES * MIB, (size_t)info.st_size, 8, "record");
    sim_clean_up();
}
END_TEST

int main(void)
{
    if (!COUNTED) {
        puts("1..0 # SKIP the allocator is not ours to count");
        return 0;
    }
    Suite *suite = suite_create("bounds");
    TCase *tc = tcase_create("bounds");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_loop_test(tc, test_bounds, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(tc, test_compressed, 0, BOMBS);
    tcase_add_test(tc, test_record);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
