/* Memory: what a session takes and says that it will take, pages of a checkpoint that come
 * and go, files that change under a mapping. */
#include <config.h>
#include "run.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "files.h"
#include "reference.h"

#define MODEL "synth:opt-125m,outliers=2,num_hidden_layers=8,hidden_size=256," \
              "word_embed_proj_dim=256,num_attention_heads=4,ffn_dim=1024,vocab_size=2000," \
              "max_position_embeddings=64"
enum { LAYERS = 8, SEQUENCES = 4, IDS = 32, HIDDEN = 256, MB = 1 << 20,
       AROUND = (LAYERS + 2) * 64 << 10   /* a fault brings in up to 64 KiB, of neighbours too */
};

/* --- advice, counted -------------------------------------------------------------- */

enum { CALLS = 4096 };
static struct { const char *at; size_t size; int advice; } call[CALLS];
static atomic_size_t calls;

/* In place of the C library's, for the library under test. */
int madvise(void *at, size_t size, int advice)
{
    size_t i = atomic_fetch_add(&calls, 1);
    if (i < CALLS) {
        call[i].at = at;
        call[i].size = size;
        call[i].advice = advice;
    }
    return (int)syscall(SYS_madvise, at, size, advice);
}

/* How often exactly the pages of this tensor were given back. */
static size_t given_back(const osc_tensor *tensor)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    const char *start = (const char *)((uintptr_t)tensor->data / page * page);
    const char *end = (const char *)tensor->data + osc_tensor_span(tensor);
    for (size_t i = 0; i < calls; i++)
        count += call[i].advice == MADV_DONTNEED && call[i].at == start
              && call[i].at + call[i].size == end;
    return count;
}

/* How often a byte in the middle of this tensor was asked for ahead. */
static size_t asked_for(const osc_tensor *tensor)
{
    const char *middle = (const char *)tensor->data + osc_tensor_span(tensor) / 2;
    size_t count = 0;
    for (size_t i = 0; i < calls; i++)
        count += call[i].advice == MADV_WILLNEED && call[i].at <= middle
              && call[i].at + call[i].size > middle;
    return count;
}

/* --- a checkpoint in the temporary folder --------------------------------------------- */

static void set_up(void)
{
    osc_model *model;
    folder_make();
    must(osc_model_open(&model, MODEL));
    const osc_store *store = osc_model_store(model);
    FILE *file = fopen(in_folder("model.safetensors"), "wb");
    ck_assert_ptr_nonnull(file);
    must(osc_safetensors_write(file, store, 0, osc_store_count(store), NULL));
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(json_dump_file(osc_store_config(store), in_folder("config.json"), 0), 0);
    osc_model_close(model);
}

static osc_corpus *make_corpus(void)
{
    json_t *sequences = json_array();
    for (int i = 0; i < SEQUENCES; i++) {
        json_t *ids = json_array();
        for (int j = 0; j < IDS; j++)
            json_array_append_new(ids, json_integer((i * 67 + j * 37) % 1999));
        json_array_append_new(sequences, ids);
    }
    osc_corpus *corpus = corpus_of(sequences);
    json_decref(sequences);
    return corpus;
}

typedef struct {
    osc_model   *model;
    osc_session *session;
    osc_corpus  *corpus;
    osc_hooks   *hooks;
    double       nll[SEQUENCES * IDS];
} fixture;

static const osc_session_options usual = { .longest = IDS, .chunk = 2, .threads = 1 };

static void open_model(fixture *f)
{
    must(osc_model_open(&f->model, folder));
    f->corpus = make_corpus();
    must(osc_hooks_create(&f->hooks, LAYERS));
    f->session = NULL;
}

static void open_session(fixture *f, const char *scheme, size_t memory)
{
    osc_session_options options = usual;
    options.scheme = scheme;
    options.memory = memory;
    must(osc_session_open(&f->session, f->model, &options));
}

static osc_status run_chunks(fixture *f)
{
    for (size_t i = 0; i < SEQUENCES; i += 2)
        OSC_TRY(osc_session_run(f->session, f->corpus, i, 2, f->hooks, f->nll + i * IDS));
    return OSC_OK;
}

static void close_all(fixture *f)
{
    osc_session_close(f->session);
    osc_hooks_free(f->hooks);
    osc_corpus_free(f->corpus);
    osc_model_close(f->model);
}

static osc_session_needs predict(const fixture *f, const char *scheme, size_t memory)
{
    osc_session_needs needs;
    osc_session_options options = usual;
    options.scheme = scheme;
    options.memory = memory;
    must(osc_session_predict(&needs, f->model, &options));
    return needs;
}

/* A limit under which the blocks come in turn and pages of the checkpoint go, with little
 * left over. */
static size_t tight(const fixture *f, const char *scheme)
{
    osc_session_needs needs = predict(f, scheme, 0);
    size_t form = needs.stays ? needs.linear / LAYERS : needs.linear;
    size_t block = 12 * HIDDEN * HIDDEN * sizeof(uint16_t);
    return osc_memory_resident() + needs.weights - needs.linear + form + needs.activations
         + block + 3 * MB;
}

/* --- prediction -------------------------------------------------------------------------- */

static const char *const schemes[] = { "none", "absmax", "llm-int8", "llm-int8:weights=int8",
                                       "zeropoint-vector", "q8-0" };
enum { SCHEMES = sizeof schemes / sizeof *schemes };

START_TEST(test_predicted)
{
    fixture f;
    open_model(&f);
    osc_session_needs needs = predict(&f, schemes[_i], 0);
    open_session(&f, schemes[_i], 0);
    ck_assert_uint_eq(needs.weights, osc_session_weight_bytes(f.session));
    ck_assert_uint_eq(needs.linear, osc_session_linear_bytes(f.session));
    ck_assert_uint_eq(needs.activations, osc_session_buffer_bytes(f.session));
    ck_assert_uint_eq(needs.chunk, osc_session_chunk(f.session));
    ck_assert_uint_eq(needs.mapped, osc_store_bytes(osc_model_store(f.model)));
    ck_assert_int_eq(needs.stays, _i > 0);
    ck_assert_int_eq(needs.reads_again, _i == 0 || _i == 2);
    close_all(&f);
}
END_TEST

/* A limit changes what stays, and no bit of the results. */
START_TEST(test_limited)
{
    fixture free_one, limited;
    open_model(&free_one);
    open_session(&free_one, schemes[_i], 0);
    must(run_chunks(&free_one));
    open_model(&limited);
    size_t memory = tight(&limited, schemes[_i]);
    osc_session_needs needs = predict(&limited, schemes[_i], memory);
    ck_assert(!needs.stays && needs.reads_again);
    ck_assert_uint_lt(needs.mapped, osc_store_bytes(osc_model_store(limited.model)) / 2);
    open_session(&limited, schemes[_i], memory);
    ck_assert_uint_eq(needs.weights, osc_session_weight_bytes(limited.session));
    must(run_chunks(&limited));
    ck_assert_mem_eq(free_one.nll, limited.nll, sizeof limited.nll);
    close_all(&free_one);
    close_all(&limited);
}
END_TEST

/* Codes for which there is room do not stay if the stored weights beside them cannot. */
START_TEST(test_stored_beside)
{
    fixture f;
    open_model(&f);
    osc_session_needs needs = predict(&f, "llm-int8", 0);
    ck_assert(needs.stays);
    size_t memory = osc_memory_resident() + needs.weights + needs.activations
                  + 12 * HIDDEN * HIDDEN * sizeof(uint16_t) + 3 * MB;
    ck_assert(!predict(&f, "llm-int8", memory).stays);
    ck_assert(predict(&f, "llm-int8:weights=int8", memory).stays);
    close_all(&f);
}
END_TEST

START_TEST(test_too_little)
{
    fixture f;
    osc_session_needs needs;
    open_model(&f);
    osc_session_options options = usual;
    options.memory = osc_memory_resident() + MB;
    ck_assert_int_eq(osc_session_predict(&needs, f.model, &options), OSC_ENOMEM);
    ck_assert_ptr_nonnull(strstr(osc_error(), "MB allowed"));
    ck_assert_int_eq(osc_session_open(&f.session, f.model, &options), OSC_ENOMEM);
    close_all(&f);
}
END_TEST

START_TEST(test_machine)
{
    size_t resident = osc_memory_resident(), more = 32 * MB;
    ck_assert_uint_gt(resident, 0);
    ck_assert_uint_gt(osc_memory_available(), more);
    char *memory = osc_alloc(more, 1);   /* which touches it */
    ck_assert_ptr_nonnull(memory);
    ck_assert_uint_ge(osc_memory_resident(), resident + more / 10 * 9);
    osc_free(memory);
}
END_TEST

/* --- pages ----------------------------------------------------------------------------------- */

/* Bytes of the weight file that are in this process's memory now. */
static size_t resident_of_file(void)
{
    char line[1024];
    size_t kilobytes, sum = 0;
    bool ours = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            ours = strstr(line, "model.safetensors") != NULL;
        else if (ours && sscanf(line, "Rss: %zu kB", &kilobytes) == 1)
            sum += kilobytes * 1024;
    }
    fclose(file);
    return sum;
}

static osc_status most_pages(const osc_event *event, void *user)
{
    size_t *most = user, now = resident_of_file();
    (void)event;
    *most = now > *most ? now : *most;
    return OSC_OK;
}

/* The thread that reads ahead may be behind. */
static void wait_for(const osc_tensor *tensor, size_t times)
{
    for (int i = 0; i < 10000 && asked_for(tensor) < times; i++)
        usleep(1000);
    ck_assert_uint_eq(asked_for(tensor), times);
}

/* Under a limit each weight of the blocks is asked for once a chunk and given back once a
 * chunk, so its pages are read at most once; no more than the window is in memory. */
START_TEST(test_once_per_chunk)
{
    fixture f;
    size_t most = 0;
    open_model(&f);
    size_t memory = tight(&f, schemes[_i]);
    osc_session_needs needs = predict(&f, schemes[_i], memory);
    must(osc_hooks_add(f.hooks, "blocks.*.resid_post", OSC_READ, most_pages, &most));
    open_session(&f, schemes[_i], memory);
    calls = 0;
    must(run_chunks(&f));
    ck_assert_uint_lt(calls, CALLS);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
            const osc_stored *w = osc_model_block(f.model, layer, (osc_block_slot)slot);
            if (w == NULL)
                continue;
            ck_assert_uint_eq(given_back(&w->tensor), SEQUENCES / 2);
            wait_for(&w->tensor, SEQUENCES / 2);
        }
    }
    ck_assert_uint_le(most, needs.mapped + AROUND);
    ck_assert_uint_le(resident_of_file(), AROUND);
    close_all(&f);
}
END_TEST

/* --- files that change ----------------------------------------------------------------------- */

static osc_status cut_file(const osc_event *event, void *user)
{
    (void)user;
    return event->layer != 1 || truncate(in_folder("model.safetensors"), 8192) == 0 ? OSC_OK
         : osc_fail(OSC_EIO, "cannot truncate");
}

/* The file loses nearly all its bytes while block 1 runs. */
START_TEST(test_truncated_under_a_run)
{
    fixture f;
    open_model(&f);
    must(osc_mapping_guard());
    must(osc_hooks_add(f.hooks, "blocks.1.resid_post", OSC_READ, cut_file, NULL));
    open_session(&f, schemes[_i], _i % 2 == 0 ? 0 : tight(&f, schemes[_i]));
    ck_assert_int_eq(run_chunks(&f), OSC_EIO);
    ck_assert_ptr_nonnull(strstr(osc_error(), "model.safetensors: the file became shorter"));
    close_all(&f);
}
END_TEST

static void put_pages(const char *name, size_t size)
{
    char *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, 1, size);
    put(name, bytes, size);
    free(bytes);
}

START_TEST(test_guard)
{
    osc_mapping a, b;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    put_pages("a", 4 * page + 7);
    put_pages("b", 4 * page);
    must(osc_mapping_open(&a, in_folder("a")));
    must(osc_mapping_guard());
    must(osc_mapping_open(&b, in_folder("b")));
    must(osc_mapping_check(&a));
    ck_assert_int_eq(truncate(in_folder("a"), (off_t)page), 0);
    ck_assert_uint_eq(a.data[0], 1);
    ck_assert_uint_eq(a.data[4 * page + 6], 0);    /* was not there any more */
    ck_assert_uint_eq(a.data[2 * page], 0);
    ck_assert_uint_eq(a.data[page - 1], 1);
    ck_assert_int_eq(truncate(in_folder("a"), (off_t)(4 * page + 7)), 0);
    ck_assert_int_eq(osc_mapping_check(&a), OSC_EIO);
    ck_assert_ptr_nonnull(strstr(osc_error(), "became shorter"));
    ck_assert_uint_eq(b.data[4 * page - 1], 1);
    must(osc_mapping_check(&b));
    osc_mapping_close(&a);
    must(osc_mapping_open(&a, in_folder("a")));    /* its place is free again */
    must(osc_mapping_check(&a));
    osc_mapping_close(&a);
    osc_mapping_close(&b);
}
END_TEST

/* Other causes of the signal end the program, with the handler as without. */
START_TEST(test_other_bus_error)
{
    must(osc_mapping_guard());
    put_pages("a", 1);
    int fd = open(in_folder("a"), O_RDONLY);
    volatile char *data = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert_int_eq(truncate(in_folder("a"), 0), 0);
    folder_remove();     /* nobody will do it afterwards */
    (void)data[0];
}
END_TEST

START_TEST(test_changed)
{
    osc_mapping a;
    struct timespec times[2] = { { 0, UTIME_OMIT }, { 1000000000, 5 } };
    put_pages("a", 100);
    must(osc_mapping_open(&a, in_folder("a")));
    put_pages("b", 50);
    ck_assert_int_eq(utimensat(AT_FDCWD, in_folder("a"), times, 0), 0);
    ck_assert_int_eq(osc_mapping_check(&a), OSC_EIO);
    ck_assert_ptr_nonnull(strstr(osc_error(), "was changed"));
    ck_assert_int_eq(rename(in_folder("b"), in_folder("a")), 0);
    must(osc_mapping_check(&a));      /* the old file, whole, is what is mapped */
    ck_assert_uint_eq(a.data[99], 1);
    osc_mapping_close(&a);
}
END_TEST

/* Plain text stays in its file, what was decoded does not; ids are read at once. */
START_TEST(test_texts)
{
    osc_documents *plain, *decoded;
    must(osc_mapping_guard());
    put_text("a.txt", "one\n<|endoftext|>\ntwo\n");
    put_text("b.jsonl", "{\"text\": \"one\"}\n");
    must(osc_documents_read(&plain, in_folder("a.txt")));
    must(osc_documents_read(&decoded, in_folder("b.jsonl")));
    must(osc_documents_check(plain));
    ck_assert_int_eq(truncate(in_folder("a.txt"), 0), 0);
    ck_assert_int_eq(truncate(in_folder("b.jsonl"), 0), 0);
    ck_assert_uint_eq(osc_documents_at(plain, 0).text[0], 0);
    ck_assert_int_eq(osc_documents_check(plain), OSC_EIO);
    ck_assert_ptr_nonnull(strstr(osc_error(), "a.txt: the file became shorter"));
    ck_assert_int_eq(osc_documents_at(decoded, 0).text[0], 'o');
    must(osc_documents_check(decoded));
    osc_documents_free(plain);
    osc_documents_free(decoded);
}
END_TEST

START_TEST(test_span)
{
    size_t dim[3] = { 4, 3, 5 };
    osc_tensor t = osc_tensor_make(NULL, OSC_F16, 3, dim);
    ck_assert_uint_eq(osc_tensor_span(&t), 120);
    t.stride[0] = 100;               /* a part of a larger tensor */
    ck_assert_uint_eq(osc_tensor_span(&t), 2 * (300 + 10 + 4 + 1));
    t.dim[1] = 0;
    ck_assert_uint_eq(osc_tensor_span(&t), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("sessions");
    tcase_add_checked_fixture(tc, set_up, folder_remove);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_predicted, 0, SCHEMES);
    tcase_add_loop_test(tc, test_limited, 0, SCHEMES);
    tcase_add_test(tc, test_stored_beside);
    tcase_add_test(tc, test_too_little);
    tcase_add_loop_test(tc, test_once_per_chunk, 0, SCHEMES);
    tcase_add_loop_test(tc, test_truncated_under_a_run, 0, SCHEMES);
    suite_add_tcase(suite, tc);
    tc = tcase_create("files");
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_guard);
    tcase_add_test_raise_signal(tc, test_other_bus_error, SIGBUS);
    tcase_add_test(tc, test_changed);
    tcase_add_test(tc, test_texts);
    tcase_add_test(tc, test_span);
    tcase_add_test(tc, test_machine);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
