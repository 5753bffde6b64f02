/* pytorch_model.bin: what PyTorch writes must be read, anything else refused. */
#include <config.h>
#include "run.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/file.h"
#include "files.h"
#include "store/pickle.h"
#include "store/store.h"
#include "torch_file.h"

static void expect(const char *label, osc_status status, const char *message)
{
    osc_store *store = NULL;
    osc_status got = osc_store_open(&store, folder);
    ck_assert_msg(got == status, "%.200s: status %d (%s), expected %d", label, got,
                  got == OSC_OK ? "" : osc_error(), status);
    ck_assert_msg((store != NULL) == (status == OSC_OK), "%.200s: output set", label);
    if (status != OSC_OK) {
        ck_assert_msg(strstr(osc_error(), message) != NULL, "%.200s: message '%s' lacks '%s'",
                      label, osc_error(), message);
        ck_assert_msg(strstr(osc_error(), "pytorch_model.bin: ") != NULL,
                      "message '%s' does not name the file", osc_error());
    }
    osc_store_close(store);
}

/* Copies `from` of the golden files to `to` of the folder. */
static void copy(const char *from, const char *to)
{
    char *bytes;
    size_t size;
    const char *path = in_tests(path_in("data/torch", from));
    ck_assert_msg(osc_read_file(&bytes, &size, path, 1 << 16) == OSC_OK, "%s", osc_error());
    put(to, bytes, size);
    osc_free(bytes);
}

static struct bytes golden(const char *name)
{
    char *bytes;
    struct bytes b = { NULL, 0, 0 };
    size_t size;
    const char *path = in_tests(path_in("data/torch", name));
    ck_assert_msg(osc_read_file(&bytes, &size, path, 1 << 16) == OSC_OK, "%s", osc_error());
    add(&b, bytes, size);
    osc_free(bytes);
    return b;
}

static void put_bytes(const struct bytes *b)
{
    put("pytorch_model.bin", b->data, b->size);
}

/* --- written by PyTorch --------------------------------------------------------------- */

static void check_tensor(const char *name, const json_t *expected, const osc_stored *stored)
{
    char hex[3] = "";
    size_t i;
    json_t *size;
    const json_t *shape = json_object_get(expected, "shape");
    const char *bytes = json_string_value(json_object_get(expected, "bytes"));
    ck_assert_msg(stored != NULL, "no %s", name);
    const osc_tensor *t = &stored->tensor;
    ck_assert_str_eq(osc_dtype_name(t->dtype),
                     json_string_value(json_object_get(expected, "dtype")));
    ck_assert_uint_eq(t->ndim, json_array_size(shape));
    json_array_foreach(shape, i, size)
        ck_assert_uint_eq(t->dim[i], (size_t)json_integer_value(size));
    ck_assert(osc_tensor_is_contiguous(t));
    ck_assert_uint_eq(2 * tensor_bytes(t), strlen(bytes));
    for (size_t k = 0; k < tensor_bytes(t); k++) {
        snprintf(hex, sizeof hex, "%02x", ((const uint8_t *)t->data)[k]);
        ck_assert_msg(memcmp(hex, bytes + 2 * k, 2) == 0, "%s: byte %zu", name, k);
    }
}

static void check_state(const char *format, bool floats)
{
    osc_store *store;
    json_t *expected = json_load_file(in_tests("data/torch/expected.json"), 0, NULL), *tensor;
    const char *name;
    size_t count = 0;
    ck_assert_ptr_nonnull(expected);
    ck_assert_msg(osc_store_open(&store, folder) == OSC_OK, "%s", osc_error());
    ck_assert_str_eq(osc_store_format(store), format);
    json_object_foreach(expected, name, tensor) {
        if (floats && strstr(json_string_value(json_object_get(tensor, "dtype")), "float") == NULL)
            continue;
        check_tensor(name, tensor, osc_store_find(store, name));
        count++;
    }
    ck_assert_uint_eq(osc_store_count(store), count);
    osc_store_close(store);
    json_decref(expected);
}

START_TEST(test_golden)
{
    static const char *const shards[] = {
        "pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++)
        copy(shards[i], shards[i]);
    check_state("sharded PyTorch", false);
    copy("torch_zip.bin", "pytorch_model.bin");
    check_state("PyTorch zip", false);
    copy("torch_stream.bin", "pytorch_model.bin");
    check_state("PyTorch stream", false);
    copy("torch_parameters.bin", "pytorch_model.bin");
    check_state("PyTorch zip", true);
}
END_TEST

/* Data are used where they lie; tied tensors share them. */
START_TEST(test_nothing_is_copied)
{
    static const char *const files[] = { "torch_zip.bin", "torch_stream.bin" };
    put_text("config.json", "{}");
    for (size_t i = 0; i < 2; i++) {
        osc_store *store;
        copy(files[i], "pytorch_model.bin");
        ck_assert_int_eq(osc_store_open(&store, folder), OSC_OK);
        const uint8_t *base = osc_store_find(store, "base")->tensor.data;
        ck_assert_ptr_eq(osc_store_find(store, "tied")->tensor.data, base);
        ck_assert_ptr_eq(osc_store_find(store, "row")->tensor.data, base + 12 * sizeof(float));
        ck_assert_ptr_eq(osc_store_find(store, "last")->tensor.data, base + 23 * sizeof(float));
        ck_assert_ptr_ne(osc_store_find(store, "transposed")->tensor.data, base);
        if (i == 0)
            ck_assert_uint_eq((uintptr_t)base % 64, 0);
        osc_store_close(store);
    }
}
END_TEST

START_TEST(test_golden_refused)
{
    static const struct { const char *name, *message; osc_status status; } cases[] = {
        { "no_module", "refers to 'torch.nn.modules.linear.Linear'", OSC_EFORMAT },
        { "no_checkpoint", "'model' is a dict, expected a tensor", OSC_EFORMAT },
        { "no_list", "holds a list, expected a state dict", OSC_EFORMAT },
        { "no_tensor", "holds a tensor, expected a state dict", OSC_EFORMAT },
        { "no_sparse", "refers to 'torch._utils._rebuild_sparse_tensor'", OSC_EFORMAT },
        { "no_complex", "refers to 'torch.ComplexFloatStorage'", OSC_EFORMAT },
        { "no_expanded", "tensor 'w': shape [1000]: dimension 0 has stride 0", OSC_EFORMAT },
        { "no_protocol4", "pickle protocol 4", OSC_EUNSUP },
        { "no_protocol3_stream", "not a file of torch.save", OSC_EFORMAT },
        { "no_number_key", "the key of an item is an integer", OSC_EFORMAT },
        { "no_script", "activation.py': is compressed (method 8)", OSC_EUNSUP },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.bin", cases[i].name);
        copy(name, "pytorch_model.bin");
        expect(name, cases[i].status, cases[i].message);
    }
}
END_TEST

/* Fixtures that another hand made from the format's description. */
START_TEST(test_shared_fixtures)
{
    static const struct { const char *name; osc_status status; const char *message; } cases[] = {
        { "tiny_zip", OSC_OK, NULL }, { "tiny_zip_named", OSC_OK, NULL },
        { "tiny_legacy", OSC_OK, NULL },
        { "evil_reduce", OSC_EFORMAT, "refers to 'posix.system'" },
        { "evil_oob_stride", OSC_EFORMAT, "tensor 'w': shape [3, 4]: offset 8 and strides reach element 19" },
        { "evil_missing_storage", OSC_EFORMAT, "there is no data/0" },
        { "evil_short_storage", OSC_EFORMAT, "data/0 has 44 bytes" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[128], *bytes;
        size_t size;
        snprintf(name, sizeof name, "formats/fixtures/%s.bin", cases[i].name);
        const char *path = in_shared(name);
        if (path == NULL)
            return;
        ck_assert_int_eq(osc_read_file(&bytes, &size, path, 1 << 16), OSC_OK);
        put("pytorch_model.bin", bytes, size);
        osc_free(bytes);
        expect(name, cases[i].status, cases[i].message);
    }
}
END_TEST

/* --- pickles -------------------------------------------------------------------------- */

#define HEAD "\x80\2"
#define TEXT(length, text) "X" length "\0\0\0" text
#define ONE(number) "K" number
#define ORDERED "ccollections\nOrderedDict\n)R"
#define STORAGE_OF(class, key, count) \
    "(" TEXT("\7", "storage") "c" class "\n" TEXT("\1", key) TEXT("\3", "cpu") count "tQ"
#define FLOATS STORAGE_OF("torch\nFloatStorage", "0", ONE("\14"))
#define REBUILD(arguments) "ctorch._utils\n_rebuild_tensor_v2\n(" arguments "tR"
#define TENSOR(storage, offset, sizes, strides) \
    REBUILD(storage offset sizes strides "\x89" ORDERED)
#define GOOD TENSOR(FLOATS, ONE("\0"), ONE("\3") ONE("\4") "\x86", ONE("\4") ONE("\1") "\x86")
#define VIEW(offset, sizes, strides) W(TENSOR(FLOATS, offset, sizes, strides))
#define W(value) HEAD "}" TEXT("\1", "w") value "s."
#define BIG "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f"      /* 2^63 - 1 */
#define HALF "\x8a\10\0\0\0\0\0\0\0\x40"                   /* 2^62 */

#define BYTES(text) text, sizeof text - 1

/* The value of data.pkl, beside data/0 of 48 bytes. */
static const struct {
    const char *pickle;
    size_t      size;
    osc_status  status;
    const char *message;
} pickles[] = {
    /* accepted */
    { BYTES(W(GOOD)), OSC_OK, NULL },
    { BYTES(HEAD "}."), OSC_OK, NULL },
    { BYTES(HEAD ORDERED "(" TEXT("\1", "w") GOOD "u}" TEXT("\1", "m") "Nsb."), OSC_OK, NULL },
    { BYTES(HEAD "}(" TEXT("\1", "a") GOOD "q\5" TEXT("\1", "b") "h\5u."), OSC_OK, NULL },
    { BYTES(HEAD "}(" TEXT("\1", "a") "N" TEXT("\1", "b") "\x88" TEXT("\1", "c") "J\xff\xff\xff\xff"
            TEXT("\1", "d") "G\0\0\0\0\0\0\0\0" TEXT("\1", "e") "U\1x" "T\1\0\0\0f" "\x8a\0u."),
      OSC_OK, NULL },
    { BYTES(VIEW(ONE("\13"), ")", ")")), OSC_OK, NULL },
    { BYTES(VIEW(ONE("\14"), ONE("\0") "\x85", ONE("\1") "\x85")), OSC_OK, NULL },
    { BYTES(VIEW(BIG, ONE("\0") BIG "\x86", BIG "\x8a\0" "\x86")), OSC_OK, NULL },
    { BYTES(VIEW(ONE("\13"), ONE("\1") ONE("\1") "\x86", BIG "K\0\x86")), OSC_OK, NULL },
    { BYTES(VIEW(ONE("\1"), ONE("\2") ONE("\3") "\x86", ONE("\1") ONE("\4") "\x86")), OSC_OK,
      NULL },
    { BYTES(W("ctorch._utils\n_rebuild_parameter\n" GOOD "\x88" ORDERED "\x87R")), OSC_OK, NULL },
    { BYTES(W(TENSOR(FLOATS, ONE("\0"), "ctorch\nSize\n" ONE("\2") "\x85\x85R",
                     ONE("\1") "\x85"))), OSC_OK, NULL },
    { BYTES(W(TENSOR(STORAGE_OF("torch.cuda\nHalfStorage", "0", ONE("\30")), ONE("\0"),
                     ONE("\2") "\x85", ONE("\1") "\x85"))), OSC_OK, NULL },
    /* names and opcodes */
    { BYTES(HEAD "cposix\nsystem\n" TEXT("\2", "id") "\x85R."), OSC_EFORMAT,
      "byte 2 of the pickle, GLOBAL: refers to 'posix.system'" },
    { BYTES(HEAD "cbuiltins\neval\n."), OSC_EFORMAT, "refers to 'builtins.eval'" },
    { BYTES(HEAD "c__builtin__\nexec\n."), OSC_EFORMAT, "refers to '__builtin__.exec'" },
    { BYTES(HEAD "csubprocess\nPopen\n."), OSC_EFORMAT, "refers to 'subprocess.Popen'" },
    { BYTES(HEAD "ctorch\nload\n."), OSC_EFORMAT, "refers to 'torch.load'" },
    { BYTES(HEAD "ctorch.hub\nload\n."), OSC_EFORMAT, "refers to 'torch.hub.load'" },
    { BYTES(HEAD "ctorch._utils\n_rebuild_tensor\n."), OSC_EFORMAT, "'torch._utils._rebuild_tensor'" },
    { BYTES(HEAD "ctorch._utils\n_rebuild_tensor_v2x\n."), OSC_EFORMAT, "refused" },
    { BYTES(HEAD "ctorch\0\nSize\n."), OSC_EFORMAT, "refers to 'torch?.Size'" },
    { BYTES(HEAD "c\n\n."), OSC_EFORMAT, "refers to '.'" },
    { BYTES(HEAD "ctorch\nSize"), OSC_EFORMAT, "a name without an end" },
    { BYTES(HEAD "(iposix\nsystem\n."), OSC_EFORMAT, "opcode 0x69" },            /* INST */
    { BYTES(HEAD "(ctorch\nSize\no."), OSC_EFORMAT, "opcode 0x6f" },              /* OBJ */
    { BYTES(HEAD "ctorch\nSize\n)\x81."), OSC_EFORMAT, "opcode 0x81" },           /* NEWOBJ */
    { BYTES(HEAD "\x82\1."), OSC_EFORMAT, "opcode 0x82" },                        /* EXT1 */
    { BYTES(HEAD TEXT("\1", "a") TEXT("\1", "b") "\x93."), OSC_EFORMAT, "opcode 0x93" },
    { BYTES(HEAD "P0\n."), OSC_EFORMAT, "opcode 0x50" },                          /* PERSID */
    { BYTES(HEAD "Np0\n."), OSC_EFORMAT, "opcode 0x70" },                         /* PUT */
    { BYTES(HEAD "N0N."), OSC_EFORMAT, "byte 3 of the pickle: opcode 0x30" },     /* POP */
    { BYTES(HEAD "N2."), OSC_EFORMAT, "opcode 0x32" },                            /* DUP */
    { BYTES(HEAD "\x8b\1\0\0\0\1."), OSC_EFORMAT, "opcode 0x8b" },                /* LONG4 */
    { BYTES("\x80\4}."), OSC_EUNSUP, "pickle protocol 4" },
    { BYTES("}."), OSC_EFORMAT, "not a pickle of protocol 2" },
    { BYTES(""), OSC_EFORMAT, "not a pickle of protocol 2" },
    { BYTES(HEAD HEAD "}."), OSC_EFORMAT, "PROTO: is not at the beginning" },
    /* the stack */
    { BYTES(HEAD "."), OSC_EFORMAT, "ends with 0 values and 0 marks" },
    { BYTES(HEAD "}}."), OSC_EFORMAT, "ends with 2 values and 0 marks" },
    { BYTES(HEAD "(}."), OSC_EFORMAT, "ends with 1 values and 1 marks" },
    { BYTES(HEAD "t."), OSC_EFORMAT, "TUPLE: there is no mark" },
    { BYTES(HEAD "u."), OSC_EFORMAT, "SETITEMS: there is no mark" },
    { BYTES(HEAD "(u."), OSC_EFORMAT, "SETITEMS: needs 1 values on the stack, there are 0" },
    { BYTES(HEAD "N(\x85."), OSC_EFORMAT, "TUPLE1: needs 1 values on the stack, there are 0" },
    { BYTES(HEAD "s."), OSC_EFORMAT, "SETITEM: needs 3 values" },
    { BYTES(HEAD "R."), OSC_EFORMAT, "REDUCE: needs 2 values" },
    { BYTES(HEAD "Q."), OSC_EFORMAT, "BINPERSID: needs 1 values" },
    { BYTES(HEAD "b."), OSC_EFORMAT, "BUILD: needs 2 values" },
    { BYTES(HEAD "q\0."), OSC_EFORMAT, "BINPUT: needs 1 values" },
    { BYTES(HEAD "h\0."), OSC_EFORMAT, "BINGET: memo slot 0 was never written" },
    { BYTES(HEAD "}q\0h\1."), OSC_EFORMAT, "BINGET: memo slot 1 was never written" },
    { BYTES(HEAD "}j\xff\xff\xff\xff."), OSC_EFORMAT, "memo slot 4294967295 was never written" },
    { BYTES(HEAD "}q\xff."), OSC_EFORMAT, "BINPUT: memo slot 255 after 5 bytes" },
    { BYTES(HEAD "}r\xff\xff\xff\xff."), OSC_EFORMAT, "memo slot 4294967295 after" },
    { BYTES(HEAD "NNNs."), OSC_EFORMAT, "SETITEM: adds items to None" },
    { BYTES(HEAD "](NNu."), OSC_EFORMAT, "SETITEMS: adds items to a list" },
    { BYTES(HEAD "}(Ne."), OSC_EFORMAT, "APPENDS: adds items to a dict" },
    { BYTES(HEAD "}(" TEXT("\1", "w") "u."), OSC_EFORMAT, "SETITEMS: a key without a value" },
    { BYTES(HEAD "}NNs."), OSC_EFORMAT, "the key of an item is None" },
    { BYTES(HEAD "}}q\1h\1Ns."), OSC_EFORMAT, "the key of an item is a dict" },
    { BYTES(HEAD "}Nb."), OSC_EFORMAT, "BUILD: sets attributes of a dict" },
    { BYTES(HEAD ORDERED ")R."), OSC_EFORMAT, "REDUCE: a call of a dict with a tuple" },
    { BYTES(HEAD "ccollections\nOrderedDict\n}R."), OSC_EFORMAT, "with a dict" },
    { BYTES(HEAD "ccollections\nOrderedDict\n]\x85R."), OSC_EFORMAT, "with 1 arguments" },
    { BYTES(HEAD "ctorch\nFloatStorage\n)R."), OSC_EFORMAT, "only names a type of elements" },
    { BYTES(HEAD "ctorch\nSize\n)R."), OSC_EFORMAT, "torch.Size of something else" },
    /* truncation and lengths */
    { BYTES(HEAD "}"), OSC_EFORMAT, "no end within 3 bytes" },
    { BYTES(HEAD "X\xff\xff\xff\xff" "a."), OSC_EFORMAT, "BINUNICODE: needs 4294967295 bytes, 2 are" },
    { BYTES(HEAD "X\1\0"), OSC_EFORMAT, "BINUNICODE: needs 4 bytes, 2 are left" },
    { BYTES(HEAD "U\5a."), OSC_EFORMAT, "SHORT_BINSTRING: needs 5 bytes" },
    { BYTES(HEAD "G\0\0."), OSC_EFORMAT, "BINFLOAT: needs 8 bytes" },
    { BYTES(HEAD "\x8a\11\0\0\0\0\0\0\0\0\0."), OSC_EFORMAT, "an integer of 9 bytes" },
    { BYTES(HEAD "\x8a\377\0\0\0\0\0\0\0\0\0."), OSC_EFORMAT, "LONG1: needs 255 bytes" },
    { BYTES(HEAD "X\2\0\0\0\xc0\xaf."), OSC_EFORMAT, "a string that is not UTF-8" },
    { BYTES(HEAD "X\3\0\0\0\xed\xa0\x80."), OSC_EFORMAT, "not UTF-8" },
    { BYTES(HEAD "X\4\0\0\0\xf4\x90\x80\x80."), OSC_EFORMAT, "not UTF-8" },
    { BYTES(HEAD "X\2\0\0\0\xe2\x82."), OSC_EFORMAT, "not UTF-8" },
    { BYTES(W(GOOD) "x"), OSC_EFORMAT, "data.pkl goes on for 1 bytes" },
    { BYTES(HEAD "}." "cposix\nsystem\n"), OSC_EFORMAT, "data.pkl goes on for 14 bytes" },
    /* the state dict */
    { BYTES(HEAD "N."), OSC_EFORMAT, "holds None, expected a state dict" },
    { BYTES(HEAD GOOD "."), OSC_EFORMAT, "holds a tensor" },
    { BYTES(HEAD "}(" TEXT("\1", "w") GOOD TEXT("\1", "w") GOOD "u."), OSC_EFORMAT,
      "'w' is there twice" },
    { BYTES(HEAD "}(" TEXT("\1", "w") GOOD TEXT("\1", "w") "Nu."), OSC_EFORMAT, "'w' is there twice" },
    { BYTES(HEAD "}(" TEXT("\1", "w") "q\1" GOOD "h\1Nu."), OSC_EFORMAT, "'w' is there twice" },
    { BYTES(HEAD "}" TEXT("\2", "w\0") GOOD "s."), OSC_EFORMAT, "a zero byte" },
    { BYTES(HEAD "}q\1" TEXT("\1", "w") "h\1s."), OSC_EFORMAT, "'w' is a dict" },   /* a circle */
    { BYTES(W(FLOATS)), OSC_EFORMAT, "'w' is a storage" },
    { BYTES(W("ctorch\nSize\n")), OSC_EFORMAT, "'w' is a class or function" },
    { BYTES(W(")")), OSC_EFORMAT, "'w' is a tuple" },
    /* storages */
    { BYTES(W("NQ")), OSC_EFORMAT, "BINPERSID: a persistent id is not a tuple" },
    { BYTES(W(")Q")), OSC_EFORMAT, "a persistent id is not a tuple" },
    { BYTES(W("(" TEXT("\6", "module") "ctorch\nFloatStorage\n" TEXT("\1", "0") TEXT("\3", "cpu")
              ONE("\14") "tQ")), OSC_EFORMAT, "a persistent id is not a tuple ('storage', ...)" },
    { BYTES(W("(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT("\1", "0") TEXT("\3", "cpu")
              ONE("\14") "NtQ")), OSC_EFORMAT, "('storage', ...) of 5" },
    { BYTES(W(STORAGE_OF("torch\nSize", "0", ONE("\14")))), OSC_EFORMAT, "the class of a storage" },
    { BYTES(W("(" TEXT("\7", "storage") TEXT("\1", "F") TEXT("\1", "0") TEXT("\3", "cpu")
              ONE("\14") "tQ")), OSC_EFORMAT, "the class of a storage is a string" },
    { BYTES(W("(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" ONE("\0") TEXT("\3", "cpu")
              ONE("\14") "tQ")), OSC_EFORMAT, "the key of a storage" },
    { BYTES(W(STORAGE_OF("torch\nFloatStorage", "0", "J\xff\xff\xff\xff"))), OSC_EFORMAT,
      "the size of a storage is -1" },
    { BYTES(W(STORAGE_OF("torch\nFloatStorage", "0", "\x88"))), OSC_EFORMAT,
      "the size of a storage is a bool" },
    { BYTES(W(STORAGE_OF("torch\nFloatStorage", "0", BIG))), OSC_EFORMAT, "more than 2^64 bytes" },
    { BYTES(W(TENSOR(STORAGE_OF("torch\nFloatStorage", "0", ONE("\15")), ONE("\0"), ")", ")"))),
      OSC_EFORMAT, "data/0 has 48 bytes, its 13 elements of float32 take 52" },
    { BYTES(W(TENSOR(STORAGE_OF("torch\nFloatStorage", "1", ONE("\14")), ONE("\0"), ")", ")"))),
      OSC_EFORMAT, "there is no data/1" },
    { BYTES(W(TENSOR(STORAGE_OF("torch\nFloatStorage", "/", ONE("\14")), ONE("\0"), ")", ")"))),
      OSC_EFORMAT, "there is no data//" },
    { BYTES(HEAD "}(" TEXT("\1", "a") GOOD TEXT("\1", "b")
            TENSOR(STORAGE_OF("torch\nHalfStorage", "0", ONE("\14")), ONE("\0"), ")", ")") "u."),
      OSC_EFORMAT, "storage '0' is said to have 12 elements of float" },
    { BYTES(HEAD "}(" TEXT("\1", "a") GOOD TEXT("\1", "b")
            TENSOR(STORAGE_OF("torch\nFloatStorage", "0", ONE("\13")), ONE("\0"), ")", ")") "u."),
      OSC_EFORMAT, "storage '0' is said to have 1" },
    /* views */
    { BYTES(VIEW(ONE("\14"), ")", ")")), OSC_EFORMAT, "tensor 'w': shape []: offset 12 and strides reach element 12 of a storage of 12" },
    { BYTES(VIEW(ONE("\1"), ONE("\14") "\x85", ONE("\1") "\x85")), OSC_EFORMAT, "reach element 12" },
    { BYTES(VIEW(ONE("\0"), ONE("\3") "\x85", ONE("\6") "\x85")), OSC_EFORMAT, "reach element 12" },
    { BYTES(VIEW("J\xff\xff\xff\xff", ")", ")")), OSC_EFORMAT, "offset of a tensor is -1" },
    { BYTES(VIEW(ONE("\0"), "J\xff\xff\xff\xff\x85", ONE("\1") "\x85")), OSC_EFORMAT,
      "size of a tensor is -1" },
    { BYTES(VIEW(ONE("\13"), ONE("\2") "\x85", "J\xff\xff\xff\xff\x85")), OSC_EFORMAT,
      "stride of a tensor is -1" },
    { BYTES(VIEW(ONE("\0"), BIG "\x85", ONE("\0") "\x85")), OSC_EFORMAT, "has stride 0" },
    { BYTES(VIEW(ONE("\0"), ONE("\2") ONE("\4") "\x86", ONE("\0") ONE("\1") "\x86")), OSC_EFORMAT,
      "shape [2, 4]: dimension 0 has stride 0" },
    { BYTES(VIEW(ONE("\0"), ONE("\6") ONE("\6") "\x86", ONE("\1") ONE("\1") "\x86")), OSC_EFORMAT,
      "they overlap" },
    { BYTES(VIEW(ONE("\0"), BIG BIG "\x86", ONE("\1") ONE("\1") "\x86")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(ONE("\0"), BIG BIG ONE("\0") "\x87", ONE("\1") ONE("\1") ONE("\1") "\x87")),
      OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(ONE("\0"), "K\5\x85", HALF "\x85")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(ONE("\0"), "K\4K\2\x86", HALF HALF "\x86")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(BIG, "K\3\x85", HALF "\x85")), OSC_EFORMAT, "reach element 18446744073709551615" },
    { BYTES(VIEW(BIG, "K\4\x85", HALF "\x85")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(BIG, "K\1\x85", ONE("\1") "\x85")), OSC_EFORMAT, "reach element 9223372036854775807" },
    { BYTES(VIEW(ONE("\0"), HALF "\x85", "K\4\x85")), OSC_EFORMAT, "reach element" },
    { BYTES(VIEW(ONE("\0"), ONE("\2") "\x85", ")")), OSC_EFORMAT, "1 sizes, but 0 strides" },
    { BYTES(VIEW(ONE("\0"), "]", ")")), OSC_EFORMAT, "sizes are a list and its strides a tuple" },
    { BYTES(VIEW(ONE("\0"), "N\x85", ONE("\1") "\x85")), OSC_EFORMAT, "size of a tensor is None" },
    { BYTES(VIEW(ONE("\0"), "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t")),
      OSC_EUNSUP, "has 9 dimensions" },
    { BYTES(W(TENSOR("N", ONE("\0"), ")", ")"))), OSC_EFORMAT, "a tensor of None" },
    { BYTES(W(REBUILD(FLOATS))), OSC_EFORMAT, "_rebuild_tensor_v2 with 1 arguments" },
    { BYTES(W(REBUILD(FLOATS ONE("\0") "))\x89" ORDERED "}"))), OSC_OK, NULL },
    { BYTES(W(REBUILD(FLOATS ONE("\0") "))\x89" ORDERED "}" TEXT("\1", "k") "Ns"))), OSC_EUNSUP,
      "a tensor has metadata" },
    { BYTES(W("ctorch._utils\n_rebuild_parameter\nN\x88N\x87R")), OSC_EFORMAT,
      "_rebuild_parameter with other arguments" },
};

static const float twelve[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

static void zip_of(struct zip_file *z, const void *pickle, size_t size)
{
    memset(z, 0, sizeof *z);
    zip_add(z, "archive/data.pkl", pickle, size);
    zip_add(z, "archive/data/0", twelve, sizeof twelve);
    zip_add(z, "archive/version", "3\n", 2);
    zip_finish(z);
}

static struct zip_file zip;

START_TEST(test_pickles)
{
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++) {
        char label[32];
        snprintf(label, sizeof label, "pickle %zu", i);
        zip_of(&zip, pickles[i].pickle, pickles[i].size);
        put_bytes(&zip.bytes);
        free(zip.bytes.data);
        expect(label, pickles[i].status, pickles[i].message);
    }
}
END_TEST

/* --- zip files ------------------------------------------------------------------------ */

static const char good_pickle[] = W(GOOD);

/* Fields of an entry's record. */
enum { FLAGS = 8, METHOD = 10, CRC = 16, PACKED = 20, SIZE = 24, NAME = 28, EXTRA = 30, OFFSET = 42 };

static void damage_nothing(void) {}
static void damage_encrypted(void) { patch(&zip.bytes, zip.entry[1] + FLAGS, 0x0809, 2); }
static void damage_deflated(void) { patch(&zip.bytes, zip.entry[1] + METHOD, 8, 2); }
static void damage_method(void) { patch(&zip.bytes, zip.entry[0] + METHOD, 99, 2); }
static void damage_local_method(void) { patch(&zip.bytes, zip.local[1] + 8, 8, 2); }
static void damage_local_flags(void) { patch(&zip.bytes, zip.local[1] + 6, 1, 2); }
static void damage_local_name(void) { zip.bytes.data[zip.local[1] + 30 + 13] = '1'; }
static void damage_local_length(void) { patch(&zip.bytes, zip.local[1] + 26, 13, 2); }
static void damage_local_extra(void) { patch(&zip.bytes, zip.local[1] + 28, 0xffff, 2); }
static void damage_signature(void) { zip.bytes.data[zip.local[1]] = 'Q'; }
static void damage_entry(void) { zip.bytes.data[zip.entry[1]] = 'Q'; }
static void damage_sizes(void) { patch(&zip.bytes, zip.entry[1] + SIZE, 47, 4); }
static void damage_crc(void) { patch(&zip.bytes, zip.entry[0] + CRC, 1, 4); }
static void damage_data_crc(void) { patch(&zip.bytes, zip.entry[1] + CRC, 1, 4); }
static void damage_pickle(void) { zip.bytes.data[zip.start[0] + 3] ^= 1; }
static void damage_version_crc(void) { zip.bytes.data[zip.start[2]] = '4'; }
static void damage_offset(void) { patch(&zip.bytes, zip.entry[1] + OFFSET, 0xfffffff0u, 4); }
static void damage_offset_wide(void) { patch(&zip.bytes, zip.entry[1] + OFFSET, 0xffffffffu, 4); }
static void damage_count(void) { patch(&zip.bytes, zip.end64 + 32, UINT64_MAX, 8); }
static void damage_directory(void) { patch(&zip.bytes, zip.end64 + 48, UINT64_MAX - 3, 8); }
static void damage_locator(void) { patch(&zip.bytes, zip.locator + 8, UINT64_MAX, 8); }
static void damage_locator_to(void) { patch(&zip.bytes, zip.locator + 8, zip.end64 - 1, 8); }
static void damage_disk(void) { patch(&zip.bytes, zip.end + 4, 1, 2); }
static void damage_disk64(void) { patch(&zip.bytes, zip.end64 + 16, 1, 4); }
static void damage_short_count(void) { patch(&zip.bytes, zip.end + 8, 0x00020002, 4); }
static void damage_comment(void) { patch(&zip.bytes, zip.end + 20, 1, 2); }
static void damage_entry_name(void) { patch(&zip.bytes, zip.entry[2] + NAME, 0xffff, 2); }
static void damage_entry_extra(void) { patch(&zip.bytes, zip.entry[2] + EXTRA, 1, 2); }

/* Both counts say `count`. */
static void set_count(uint64_t count)
{
    patch(&zip.bytes, zip.end64 + 24, count, 8);
    patch(&zip.bytes, zip.end64 + 32, count, 8);
    patch(&zip.bytes, zip.end + 8, count & 0xffff, 2);
    patch(&zip.bytes, zip.end + 10, count & 0xffff, 2);
}

static void damage_count_less(void) { set_count(2); }
static void damage_count_more(void) { set_count(4); }

static void damage_count_huge(void)
{
    set_count((1 << 20) + 1);
    patch(&zip.bytes, zip.end + 8, 0xffffffffu, 4);
}

static void damage_count_bomb(void)
{
    set_count(1 << 20);
    patch(&zip.bytes, zip.end + 8, 0xffffffffu, 4);
}

/* Both sizes of member `i` say `size`. */
static void set_size(size_t i, uint64_t size)
{
    patch(&zip.bytes, zip.entry[i] + PACKED, size, 4);
    patch(&zip.bytes, zip.entry[i] + SIZE, size, 4);
}

static void damage_size_beyond(void) { set_size(1, 0xfffffff0u); }
static void damage_size_wide(void) { set_size(1, 0xffffffffu); }
static void damage_into_next(void) { set_size(1, zip.local[2] + 1 - zip.start[1]); }
static void damage_into_directory(void) { set_size(2, zip.directory + 1 - zip.start[2]); }

/* Two entries for one member: the quine trick. */
static void damage_twice(void) { patch(&zip.bytes, zip.entry[1] + OFFSET, zip.local[0], 4); }

static void damage_twice_named(void)
{
    memcpy(zip.bytes.data + zip.entry[2] + 46, "archive/data/0x", 15);
    memcpy(zip.bytes.data + zip.local[2] + 30, "archive/data/0x", 15);
    patch(&zip.bytes, zip.entry[2] + OFFSET, zip.local[1], 4);
}

/* Renames member 2, archive/version, to a name of the same length. */
static void rename_version(const char *name)
{
    ck_assert_uint_eq(strlen(name), 15);
    memcpy(zip.bytes.data + zip.entry[2] + 46, name, 15);
    memcpy(zip.bytes.data + zip.local[2] + 30, name, 15);
}

static void damage_path_up(void) { rename_version("archive/../../x"); }
static void damage_path_root(void) { rename_version("/tmp/chive/vers"); }
static void damage_path_back(void) { rename_version("archive\\..\\..\\x"); }
static void damage_path_empty(void) { rename_version("archive//versio"); }
static void damage_path_dot(void) { rename_version("archive/./versi"); }
static void damage_outside(void) { rename_version("brchive/version"); }
static void damage_prefix(void) { rename_version("archive2/versio"); }
static void damage_no_folder(void) { rename_version("archive_version"); }

static void damage_path_nul(void)
{
    zip.bytes.data[zip.entry[2] + 46 + 9] = '\0';
    zip.bytes.data[zip.local[2] + 30 + 9] = '\0';
}

static const struct {
    const char *label;
    void      (*damage)(void);
    osc_status  status;
    const char *message;
} damages[] = {
    { "nothing", damage_nothing, OSC_OK, NULL },
    { "data crc", damage_data_crc, OSC_OK, NULL },   /* the weights' are not looked at */
    { "encrypted", damage_encrypted, OSC_EUNSUP, "member 'archive/data/0': is encrypted" },
    { "deflated", damage_deflated, OSC_EUNSUP, "member 'archive/data/0': is compressed (method 8)" },
    { "method", damage_method, OSC_EUNSUP, "member 'archive/data.pkl': is compressed (method 99)" },
    { "local method", damage_local_method, OSC_EFORMAT, "local header says that it is compressed" },
    { "local flags", damage_local_flags, OSC_EFORMAT, "local header says" },
    { "local name", damage_local_name, OSC_EFORMAT, "its local header has another name" },
    { "local length", damage_local_length, OSC_EFORMAT, "its local header has another name" },
    { "local extra", damage_local_extra, OSC_EFORMAT, "go beyond the zip directory" },
    { "signature", damage_signature, OSC_EFORMAT, "there is no local header" },
    { "entry", damage_entry, OSC_EFORMAT, "entry 1 of the zip directory is missing" },
    { "sizes", damage_sizes, OSC_EFORMAT, "its sizes 47 and 48 differ" },
    { "crc", damage_crc, OSC_EFORMAT, "member 'archive/data.pkl': its CRC-32 is" },
    { "pickle", damage_pickle, OSC_EFORMAT, "damaged, or saved without" },
    { "version crc", damage_version_crc, OSC_EFORMAT, "member 'archive/version': its CRC-32 is" },
    { "offset", damage_offset, OSC_EFORMAT, "there is no local header at its offset 4294967280" },
    { "wide offset", damage_offset_wide, OSC_EFORMAT, "its sizes are not in a ZIP64 extra field" },
    { "count", damage_count, OSC_EUNSUP, "archive of several files" },
    { "fewer", damage_count_less, OSC_EFORMAT, "bytes more than its 2 entries" },
    { "more", damage_count_more, OSC_EFORMAT, "cannot have 4 members" },
    { "count too large", damage_count_huge, OSC_EUNSUP, "1048577 members, at most" },
    { "count bomb", damage_count_bomb, OSC_EFORMAT, "cannot have 1048576 members" },
    { "directory", damage_directory, OSC_EFORMAT, "differ" },
    { "locator", damage_locator, OSC_EFORMAT, "points to no ZIP64 end record" },
    { "locator moved", damage_locator_to, OSC_EFORMAT, "points to no ZIP64 end record" },
    { "disk", damage_disk, OSC_EUNSUP, "archive of several files" },
    { "disk64", damage_disk64, OSC_EUNSUP, "archive of several files" },
    { "counts differ", damage_short_count, OSC_EFORMAT, "(2 members) and its ZIP64 form (3" },
    { "comment", damage_comment, OSC_EFORMAT, "without its end record" },
    { "entry name", damage_entry_name, OSC_EFORMAT, "entry 2 goes beyond the zip directory" },
    { "entry extra", damage_entry_extra, OSC_EFORMAT, "entry 2 goes beyond the zip directory" },
    { "size", damage_size_beyond, OSC_EFORMAT, "its 4294967280 bytes go beyond" },
    { "wide size", damage_size_wide, OSC_EFORMAT, "not in a ZIP64 extra field" },
    { "into the next", damage_into_next, OSC_EFORMAT, "'archive/version': overlaps the member" },
    { "into the directory", damage_into_directory, OSC_EFORMAT, "go beyond the zip directory" },
    { "offset of another", damage_twice, OSC_EFORMAT, "its local header has another name" },
    { "name and offset", damage_twice_named, OSC_EFORMAT, "its local header has another name" },
    { "up", damage_path_up, OSC_EFORMAT, "is not a plain path" },
    { "root", damage_path_root, OSC_EFORMAT, "is not a plain path" },
    { "backslash", damage_path_back, OSC_EFORMAT, "is not a plain path" },
    { "empty part", damage_path_empty, OSC_EFORMAT, "is not a plain path" },
    { "dot", damage_path_dot, OSC_EFORMAT, "is not a plain path" },
    { "zero byte", damage_path_nul, OSC_EFORMAT, "is not a plain path" },
    { "outside", damage_outside, OSC_EFORMAT, "outside its folder" },
    { "prefix", damage_prefix, OSC_EFORMAT, "outside its folder" },
    { "no folder", damage_no_folder, OSC_EFORMAT, "outside its folder" },
};

START_TEST(test_zip_damage)
{
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        zip_of(&zip, good_pickle, sizeof good_pickle - 1);
        damages[i].damage();
        put_bytes(&zip.bytes);
        free(zip.bytes.data);
        expect(damages[i].label, damages[i].status, damages[i].message);
    }
}
END_TEST

/* Members beside the pickle, and what they may say. */
START_TEST(test_members)
{
    static const struct {
        const char *name, *text;
        osc_status  status;
        const char *message;
    } members[] = {
        { "archive/byteorder", "little", OSC_OK, NULL },
        { "archive/byteorder", "big", OSC_EUNSUP, "big-endian" },
        { "archive/byteorder", "middle", OSC_EFORMAT, "byteorder is 'middle'" },
        { "archive/byteorder", "", OSC_EFORMAT, "byteorder has 0 bytes" },
        { "archive/byteorder", "little and some more text", OSC_EFORMAT, "byteorder has 25 bytes" },
        { "archive/version", "10\n", OSC_OK, NULL },
        { "archive/version", "x", OSC_EFORMAT, "version is 'x'" },
        { "archive/constants.pkl", "", OSC_EUNSUP, "TorchScript" },
        { "archive/.data/serialization_id", "123", OSC_OK, NULL },
        { "archive/folder/", "", OSC_OK, NULL },
        { "archive/data.pkl", "", OSC_EFORMAT, "member 'archive/data.pkl': is there twice" },
        { "archive/data/0", "", OSC_EFORMAT, "member 'archive/data/0': is there twice" },
        { "archive/", "", OSC_OK, NULL },
        { "archive", "", OSC_EFORMAT, "has no folder" },
        { "other/data.pkl", "", OSC_EFORMAT, "outside its folder" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        memset(&zip, 0, sizeof zip);
        zip_add(&zip, "archive/data.pkl", good_pickle, sizeof good_pickle - 1);
        zip_add(&zip, "archive/data/0", twelve, sizeof twelve);
        zip_add(&zip, members[i].name, members[i].text, strlen(members[i].text));
        zip_finish(&zip);
        put_bytes(&zip.bytes);
        free(zip.bytes.data);
        expect(members[i].name, members[i].status, members[i].message);
    }
    memset(&zip, 0, sizeof zip);
    zip_finish(&zip);
    put_bytes(&zip.bytes);
    free(zip.bytes.data);
    expect("empty", OSC_EFORMAT, "not a file of torch.save");   /* has no local header at 0 */
    memset(&zip, 0, sizeof zip);
    zip_add(&zip, "archive/version", "3\n", 2);
    zip_finish(&zip);
    put_bytes(&zip.bytes);
    free(zip.bytes.data);
    expect("no pickle", OSC_EFORMAT, "has no data.pkl");
}
END_TEST

/* ZIP64 sizes and offset in the extra field, as of members and files over 4 GiB. */
START_TEST(test_zip64)
{
    static const struct { uint16_t id; bool cut; osc_status status; const char *message; } cases[] = {
        { 1, false, OSC_OK, NULL },
        { 2, false, OSC_EFORMAT, "not in a ZIP64 extra field" },
        { 1, true, OSC_EFORMAT, "not in a ZIP64 extra field" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes extra = { NULL, 0, 0 }, *b = &zip.bytes;
        zip_of(&zip, good_pickle, sizeof good_pickle - 1);
        add(&extra, "xy\3\0abc", 7);
        add_number(&extra, cases[i].id, 2);
        add_number(&extra, cases[i].cut ? 16 : 24, 2);
        add_number(&extra, sizeof twelve, 8);
        add_number(&extra, sizeof twelve, 8);
        add_number(&extra, zip.local[1], 8);
        size_t at = zip.entry[2], tail = b->size - at, moved = extra.size;
        add(b, extra.data, moved);
        memmove(b->data + at + moved, b->data + at, tail);
        memcpy(b->data + at, extra.data, moved);
        set_size(1, 0xffffffffu);
        patch(b, zip.entry[1] + OFFSET, 0xffffffffu, 4);
        patch(b, zip.entry[1] + EXTRA, moved, 2);
        zip.end64 += moved, zip.locator += moved, zip.end += moved;
        size_t size = zip.end64 - zip.directory;
        patch(b, zip.end64 + 40, size, 8);
        patch(b, zip.locator + 8, zip.end64, 8);
        for (size_t field = 8; field < 20; field += 4)   /* counts, size and offset: see ZIP64 */
            patch(b, zip.end + field, 0xffffffffu, 4);
        put_bytes(b);
        free(b->data);
        free(extra.data);
        expect("ZIP64", cases[i].status, cases[i].message);
    }
}
END_TEST

static const uint64_t big_size = ((uint64_t)1 << 32) + 64;

/* An entry whose size and offset are in its extra field. */
static void add_big_entry(struct bytes *b, const char *name, uint64_t size, uint64_t offset)
{
    add_number(b, 0x02014b50, 4);
    add_number(b, 0, 16);
    add_number(b, 0xffffffffu, 4);
    add_number(b, 0xffffffffu, 4);
    add_number(b, strlen(name), 2);
    add_number(b, 28, 2);
    add_number(b, 0, 10);
    add_number(b, 0xffffffffu, 4);
    add_text(b, name);
    add_number(b, 1, 2);
    add_number(b, 24, 2);
    add_number(b, size, 8);
    add_number(b, size, 8);
    add_number(b, offset, 8);
}

/* A storage of more than 4 GiB, a hole in the file, and one of 8 bytes behind it. */
static void put_big(void)
{
    static const char pickle[] = HEAD "}" TEXT("\1", "b")
        TENSOR(STORAGE_OF("torch\nByteStorage", "0", "\x8a\5\x40\0\0\0\1"), ONE("\0"),
               "\x8a\5\x40\0\0\0\1\x85", ONE("\1") "\x85") "s"
        TEXT("\1", "w") TENSOR(STORAGE_OF("torch\nFloatStorage", "1", ONE("\2")), ONE("\1"),
                              ")", ")") "s.";
    struct bytes *b = &zip.bytes, back = { NULL, 0, 0 };
    memset(&zip, 0, sizeof zip);
    zip_add(&zip, "archive/data.pkl", pickle, sizeof pickle - 1);
    zip_add(&zip, "archive/data/0", "", 0);
    b->size = zip.start[1];
    uint64_t shift = b->size + big_size;
    struct bytes front = *b;
    *b = back;
    zip_add(&zip, "archive/data/1", twelve, 8);
    zip.directory = b->size;
    zip_entry(&zip, 0);
    add_big_entry(b, "archive/data/0", big_size, zip.local[1]);
    add_big_entry(b, "archive/data/1", 8, zip.local[2] + shift);
    uint64_t end = shift + b->size, size = b->size - zip.directory;
    add_number(b, 0x06064b50, 4);
    add_number(b, 44, 8);
    add_number(b, 0, 12);
    add_number(b, 3, 8);
    add_number(b, 3, 8);
    add_number(b, size, 8);
    add_number(b, shift + zip.directory, 8);
    add_number(b, 0x07064b50, 4);
    add_number(b, 0, 4);
    add_number(b, end, 8);
    add_number(b, 1, 4);
    add_number(b, 0x06054b50, 4);
    add_number(b, 0, 4);
    add_number(b, 0xffffffffu, 4);
    add_number(b, 0xffffffffu, 4);
    add_number(b, 0xffffffffu, 4);
    add_number(b, 0, 2);
    put_bytes(&front);
    int file = open(in_folder("pytorch_model.bin"), O_WRONLY);
    ck_assert_int_eq(pwrite(file, b->data, b->size, (off_t)shift), (ssize_t)b->size);
    ck_assert_int_eq(close(file), 0);
    free(front.data);
    free(b->data);
}

START_TEST(test_over_4_gigabytes)
{
    osc_store *store;
    float value;
    put_text("config.json", "{}");
    put_big();
    ck_assert_msg(osc_store_open(&store, folder) == OSC_OK, "%s", osc_error());
    ck_assert_uint_eq(osc_store_find(store, "b")->tensor.dim[0], big_size);
    memcpy(&value, osc_store_find(store, "w")->tensor.data, sizeof value);
    ck_assert_float_eq(value, 1.0f);
    osc_store_close(store);
}
END_TEST

/* --- streams -------------------------------------------------------------------------- */

#define STREAM_FLOATS(view) \
    "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT("\1", "0") TEXT("\3", "cpu") \
    ONE("\14") view "tQ"
#define STREAM_TENSOR(view) \
    W(TENSOR(STREAM_FLOATS(view), ONE("\1"), ONE("\2") "\x85", ONE("\1") "\x85"))
#define KEYS(keys) HEAD "]" keys "."
#define ZERO TEXT("\1", "0") "a"

static const struct {
    const char *state;
    size_t      state_size;
    const char *keys;
    size_t      keys_size;
    int64_t     count;       /* said before the data */
    size_t      data;        /* elements that follow */
    osc_status  status;
    const char *message;
} streams[] = {
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 12, 12, OSC_OK, NULL },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") ONE("\4") ONE("\3") "t")), BYTES(KEYS(ZERO)), 12, 12,
      OSC_OK, NULL },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") ONE("\4") ONE("\2") "t")), BYTES(KEYS(ZERO)), 12, 12,
      OSC_EFORMAT, "reach element 2 of a storage of 2" },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") ONE("\4") ONE("\11") "t")), BYTES(KEYS(ZERO)), 12, 12,
      OSC_EFORMAT, "a view of 9 elements at 4 goes beyond its storage of 12" },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") BIG BIG "t")), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT,
      "goes beyond its storage" },
    { BYTES(STREAM_TENSOR("K\1")), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT, "is not a tuple of three" },
    { BYTES(STREAM_TENSOR("")), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT, "('storage', ...) of 6" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS("")), 12, 12, OSC_EFORMAT, "storage '0' is not in the file" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO ZERO)), 12, 12, OSC_EFORMAT,
      "storage '0' is there twice" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(TEXT("\1", "1") "a")), 12, 12, OSC_EFORMAT,
      "storage '1' belongs to no tensor" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS("Na")), 12, 12, OSC_EFORMAT, "the key of a storage is None" },
    { BYTES(STREAM_TENSOR("N")), BYTES(HEAD "}."), 12, 12, OSC_EFORMAT, "the storage keys are a dict" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 11, 12, OSC_EFORMAT,
      "storage '0' has 11 elements, its tensors say 12" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), -1, 12, OSC_EFORMAT, "its tensors say 12" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 12, 11, OSC_EFORMAT, "is the file complete?" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 12, 13, OSC_EFORMAT,
      "4 bytes after the last storage's end" },
    { BYTES(HEAD "cposix\nsystem\n."), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT,
      "state dict: byte 2 of the pickle, GLOBAL: refers to 'posix.system'" },
    { BYTES(HEAD "}."), BYTES(HEAD "cposix\nsystem\n."), 12, 12, OSC_EFORMAT, "storage keys: byte 2" },
};

START_TEST(test_streams)
{
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        static const float thirteenth = 0;
        struct bytes b = { NULL, 0, 0 };
        char label[32];
        stream_start(&b);
        add(&b, streams[i].state, streams[i].state_size);
        add(&b, streams[i].keys, streams[i].keys_size);
        add_number(&b, (uint64_t)streams[i].count, 8);
        for (size_t k = 0; k < streams[i].data; k++)
            add(&b, k < 12 ? &twelve[k] : &thirteenth, sizeof(float));
        put_bytes(&b);
        free(b.data);
        snprintf(label, sizeof label, "stream %zu", i);
        expect(label, streams[i].status, streams[i].message);
    }
}
END_TEST

START_TEST(test_stream_starts)
{
    static const struct { const char *text; size_t size; osc_status status; const char *message; }
    starts[] = {
        { BYTES(""), OSC_EFORMAT, "version: not a pickle" },
        { BYTES(HEAD "K\1."), OSC_EUNSUP, "version 1 of the stream" },
        { BYTES(HEAD "N."), OSC_EFORMAT, "the version is None" },
        { BYTES(HEAD "M\xe9\3."), OSC_EFORMAT, "system: not a pickle" },
        { BYTES(HEAD "M\xe9\3." HEAD "N."), OSC_EFORMAT, "does not say \"little_endian\"" },
        { BYTES(HEAD "M\xe9\3." HEAD "}."), OSC_EFORMAT, "does not say \"little_endian\"" },
        { BYTES(HEAD "M\xe9\3." HEAD "}" TEXT("\15", "little_endian") "\x89s."), OSC_EUNSUP,
          "big-endian" },
        { BYTES(HEAD "M\xe9\3." HEAD "}" TEXT("\15", "little_endian") "\x88s."), OSC_EFORMAT,
          "state dict: not a pickle" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct bytes b = { NULL, 0, 0 };
        add(&b, torch_magic, sizeof torch_magic - 1);
        add(&b, starts[i].text, starts[i].size);
        put_bytes(&b);
        free(b.data);
        expect("start", starts[i].status, starts[i].message);
    }
    static const char *const others[] = { "", "P", "PK\3", "PK\5\6", "PYTORCH1", "\x80\2}.", "\x80" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put_text("pytorch_model.bin", others[i]);
        expect("another file", OSC_EFORMAT, "not a file of torch.save");
    }
    put_text("pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\n");
    expect("pointer", OSC_EUNSUP, "is a Git LFS pointer");
}
END_TEST

/* --- bombs ---------------------------------------------------------------------------- */

static void repeat(struct bytes *b, const void *unit, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(b, unit, size);
}

/* Refused as data.pkl with this message. */
static void expect_pickle(struct bytes *b, osc_status status, const char *message)
{
    zip_of(&zip, b->data, b->size);
    put_bytes(&zip.bytes);
    free(zip.bytes.data);
    free(b->data);
    *b = (struct bytes){ NULL, 0, 0 };
    expect(message == NULL ? "bomb" : message, status, message);
}

/* No bomb may take more than 600 MB of address space, nor more time than Check allows. */
static void limit_memory(void)
{
#if !defined __SANITIZE_ADDRESS__
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &(struct rlimit){ 600 << 20, 600 << 20 }), 0);
#endif
}

START_TEST(test_bombs)
{
    static const struct { const char *unit; size_t size; const char *message; } units[] = {
        { BYTES("("), "more than 1048576 open marks" },
        { BYTES("N"), "the stack is deeper than 1048576" },
        { BYTES("]"), "its values take more than" },
        { BYTES("}"), "its values take more than" },
        { BYTES(ORDERED), "the stack is deeper" },
        { BYTES("X\0\0\0\0"), "the stack is deeper" },
    };
    struct bytes b = { NULL, 0, 0 };
    limit_memory();
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        add(&b, HEAD, 2);
        repeat(&b, units[i].unit, units[i].size, 1100000);
        expect_pickle(&b, OSC_EFORMAT, units[i].message);
    }
    add(&b, HEAD "N", 3);                       /* a tuple in a tuple in a tuple ... */
    repeat(&b, "\x85", 1, 5000000);
    add_text(&b, ".");
    expect_pickle(&b, OSC_EFORMAT, "holds a tuple");
    add(&b, HEAD "Nq\1", 5);                    /* each twice the one before: 2^n if written out */
    repeat(&b, "h\1\x86q\1", 5, 1000000);
    add_text(&b, ".");
    expect_pickle(&b, OSC_EFORMAT, "holds a tuple");
    add(&b, HEAD "]q\1", 5);                    /* a list that holds itself a million times */
    repeat(&b, "h\1a", 3, 1000000);
    add_text(&b, ".");
    expect_pickle(&b, OSC_EFORMAT, "its values take more than");
    add(&b, HEAD "N", 3);                       /* a memo of few, far slots */
    for (uint32_t slot = 0; slot < 1000000; slot += 5) {
        add_text(&b, "r");
        add_number(&b, slot, 4);
    }
    add_text(&b, ".");
    expect_pickle(&b, OSC_EFORMAT, "holds None");
}
END_TEST

/* Many names from one long text, many tensors of one storage. */
START_TEST(test_shared_text_and_storage)
{
    struct bytes b = { NULL, 0, 0 };
    limit_memory();
    put_text("config.json", "{}");
    add(&b, HEAD "}(X\0\20\0\0", 9);            /* 4096 bytes */
    repeat(&b, "n", 1, 4096);
    add_text(&b, "q\1N");
    repeat(&b, "h\1N", 3, 500000);
    add_text(&b, "u.");
    expect_pickle(&b, OSC_EFORMAT, "is there twice");
    add(&b, HEAD "}X\1\20\0\0", 8);             /* 4097 bytes */
    repeat(&b, "n", 1, 4097);
    add_text(&b, "Ns.");
    expect_pickle(&b, OSC_EFORMAT, "has 4097 bytes");
    for (size_t count = 1 << 20; count <= (1 << 20) + 1; count++) {
        add(&b, BYTES(HEAD "}" TEXT("\1", "w") GOOD "q\1s"));
        for (size_t i = 1; i < count; i++) {
            char name[16];
            int length = snprintf(name, sizeof name, "%zu", i);
            add(&b, "U", 1);
            add_number(&b, (uint64_t)length, 1);
            add_text(&b, name);
            add(&b, "h\1s", 3);
        }
        add_text(&b, ".");
        expect_pickle(&b, count > 1 << 20 ? OSC_EUNSUP : OSC_OK,
                      count > 1 << 20 ? "more than 1048576 tensors" : NULL);
    }
}
END_TEST

/* Views that must be copied may together take no more than twice the file's size. */
START_TEST(test_copies)
{
    enum { SIDE = 512 };
    static const struct { size_t views; osc_status status; } cases[] = {
        { 2, OSC_OK }, { 3, OSC_EUNSUP }, { 1000, OSC_EUNSUP },
    };
    static float square[SIDE * SIDE];
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = { NULL, 0, 0 };
        add(&b, BYTES(HEAD "}("));
        for (size_t v = 0; v < cases[i].views; v++) {
            char name[32];
            snprintf(name, sizeof name, "w%zu", v);
            pickle_text(&b, name);
            add(&b, BYTES(TENSOR(STORAGE_OF("torch\nFloatStorage", "0", "J\0\0\4\0"), ONE("\0"),
                                 "M\0\2" "M\0\2" "\x86", ONE("\1") "M\0\2" "\x86")));
        }
        add_text(&b, "u.");
        memset(&zip, 0, sizeof zip);
        zip_add(&zip, "archive/data.pkl", b.data, b.size);
        zip_add(&zip, "archive/data/0", square, sizeof square);
        zip_finish(&zip);
        put_bytes(&zip.bytes);
        free(zip.bytes.data);
        free(b.data);
        expect("copies", cases[i].status, "is not contiguous, and copies");
    }
}
END_TEST

/* --- damage --------------------------------------------------------------------------- */

static const char *const golden_files[] = { "torch_zip.bin", "torch_stream.bin" };

START_TEST(test_truncated)
{
    put_text("config.json", "{}");
    struct bytes b = golden(golden_files[_i]);
    put_bytes(&b);
    for (size_t cut = b.size; cut-- > 0;) {
        ck_assert_int_eq(truncate(in_folder("pytorch_model.bin"), (off_t)cut), 0);
        expect("cut short", OSC_EFORMAT, "pytorch_model.bin: ");
    }
    free(b.data);
}
END_TEST

/* Reads the first and last byte of every tensor: a sanitizer or the mapping's end
 * would stop a tensor that lies outside the file. */
static size_t touch(const osc_store *store)
{
    size_t sum = 0;
    for (size_t i = 0; i < osc_store_count(store); i++) {
        const osc_tensor *t = &osc_store_at(store, i)->tensor;
        const uint8_t *data = t->data;
        ck_assert_uint_le(tensor_bytes(t), osc_store_bytes(store));
        sum += tensor_bytes(t) == 0 ? 0 : (size_t)data[0] + data[tensor_bytes(t) - 1];
    }
    return sum;
}

START_TEST(test_damage)
{
    static const uint8_t replacements[] = { 0x00, 0x01, 0x28, 0x52, 0x68, 0x7f, 0x80, 0xff };
    put_text("config.json", "{}");
    struct bytes b = golden(golden_files[_i]);
    size_t accepted = 0;
    put_bytes(&b);
    int file = open(in_folder("pytorch_model.bin"), O_WRONLY);
    ck_assert_int_ge(file, 0);
    for (size_t i = 0; i < b.size; i++) {
        for (size_t r = 0; r < sizeof replacements; r++) {
            osc_store *store = NULL;
            ck_assert_int_eq(pwrite(file, &replacements[r], 1, (off_t)i), 1);
            if (osc_store_open(&store, folder) == OSC_OK) {
                touch(store);
                accepted++;
            }
            osc_store_close(store);
        }
        ck_assert_int_eq(pwrite(file, &b.data[i], 1, (off_t)i), 1);
    }
    ck_assert_uint_gt(accepted, b.size / 20);   /* bytes of weights and padding, the same byte */
    ck_assert_int_eq(close(file), 0);
    free(b.data);
}
END_TEST

/* Random programs of the machine's own opcodes and names. */
START_TEST(test_random_programs)
{
    static const struct { const char *text; size_t size; } words[] = {
        { BYTES("(") }, { BYTES(")") }, { BYTES("}") }, { BYTES("]") }, { BYTES("N") },
        { BYTES("K\1") }, { BYTES("K\3") }, { BYTES("t") }, { BYTES("\x85") }, { BYTES("\x86") },
        { BYTES("\x87") }, { BYTES("u") }, { BYTES("s") }, { BYTES("a") }, { BYTES("e") },
        { BYTES("R") }, { BYTES("Q") }, { BYTES("b") }, { BYTES("q\0") }, { BYTES("q\1") },
        { BYTES("h\0") }, { BYTES("h\1") }, { BYTES(TEXT("\1", "w")) }, { BYTES(ORDERED) },
        { BYTES(FLOATS) }, { BYTES("ctorch._utils\n_rebuild_tensor_v2\n") },
        { BYTES("ctorch._utils\n_rebuild_parameter\n") }, { BYTES("ctorch\nSize\n") }, { BYTES(GOOD) },
        { BYTES("\x89") }, { BYTES(".") },
    };
    uint64_t random = 1;
    size_t ended = 0;
    for (size_t program = 0; program < 100000; program++) {
        struct osc_pickle pickle = { .views = false };
        struct osc_value result;
        uint8_t text[1024];
        size_t size = 2, used = 0;
        memcpy(text, HEAD, 2);
        for (size_t i = 0; i < 12; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t w = (random >> 33) % (sizeof words / sizeof *words);
            if (size + words[w].size < sizeof text) {
                memcpy(text + size, words[w].text, words[w].size);
                size += words[w].size;
            }
        }
        ended += osc_pickle_run(&pickle, &result, &used, text, size) == OSC_OK;
        ck_assert_uint_le(used, size);
        osc_pickle_release(&pickle);
    }
    ck_assert_uint_gt(ended, 100);
}
END_TEST

START_TEST(test_every_allocation_fails_once)
{
    osc_store *store = NULL;
    osc_status status = OSC_ENOMEM;
    size_t n = 1;
    put_text("config.json", "{}");
    copy(golden_files[_i], "pytorch_model.bin");
    for (; status != OSC_OK && n < 200; n++) {
        osc_alloc_fail_from(n);
        status = osc_store_open(&store, folder);
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || (status == OSC_ENOMEM && store == NULL));
    }
    ck_assert_int_eq(status, OSC_OK);
    ck_assert_uint_gt(n, 15);
    osc_store_close(store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torch");
    TCase *tc = tcase_create("torch");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_golden);
    tcase_add_test(tc, test_nothing_is_copied);
    tcase_add_test(tc, test_golden_refused);
    tcase_add_test(tc, test_shared_fixtures);
    tcase_add_test(tc, test_pickles);
    tcase_add_test(tc, test_zip_damage);
    tcase_add_test(tc, test_members);
    tcase_add_test(tc, test_zip64);
    tcase_add_test(tc, test_over_4_gigabytes);
    tcase_add_test(tc, test_streams);
    tcase_add_test(tc, test_stream_starts);
    tcase_add_test(tc, test_bombs);
    tcase_add_test(tc, test_shared_text_and_storage);
    tcase_add_test(tc, test_copies);
    tcase_add_loop_test(tc, test_truncated, 0, 2);
    tcase_add_loop_test(tc, test_damage, 0, 2);
    tcase_add_test(tc, test_random_programs);
    tcase_add_loop_test(tc, test_every_allocation_fails_once, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
