/* Pickles of state dicts: what must be accepted, and what must be refused, and soon. */
#include <config.h>
#include "run.h"

#include <sys/resource.h>

#include "store/pickle.h"
#include "torch_case.h"

static struct zip_file zip;

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
    { BYTES(HEAD "ctorch._utils\n_rebuild_tensor\n."), OSC_EFORMAT,
      "refers to 'torch._utils._rebuild_tensor'" },
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
    { BYTES(HEAD "X\xff\xff\xff\xff" "a."), OSC_EFORMAT,
      "BINUNICODE: needs 4294967295 bytes, 2 are left" },
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
    { BYTES(HEAD "}(" TEXT("\1", "w") GOOD TEXT("\1", "w") "Nu."), OSC_EFORMAT,
      "'w' is there twice" },
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
    { BYTES(W(STORAGE_OF("torch\nFloatStorage", "0", "\x8a\2\0\x80"))), OSC_EFORMAT,
      "the size of a storage is -32768" },
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
    { BYTES(VIEW(ONE("\14"), ")", ")")), OSC_EFORMAT,
      "tensor 'w': shape []: offset 12 and a reach of 0 go beyond its storage of 12 elements" },
    { BYTES(VIEW(ONE("\1"), ONE("\14") "\x85", ONE("\1") "\x85")), OSC_EFORMAT,
      "offset 1 and a reach of 11" },
    { BYTES(VIEW(ONE("\0"), ONE("\3") "\x85", ONE("\6") "\x85")), OSC_EFORMAT, "a reach of 12" },
    { BYTES(VIEW("J\xff\xff\xff\xff", ")", ")")), OSC_EFORMAT, "offset of a tensor is -1" },
    { BYTES(VIEW(ONE("\0"), "J\xff\xff\xff\xff\x85", ONE("\1") "\x85")), OSC_EFORMAT,
      "size of a tensor is -1" },
    { BYTES(VIEW(ONE("\13"), ONE("\2") "\x85", "J\xff\xff\xff\xff\x85")), OSC_EFORMAT,
      "stride of a tensor is -1" },
    { BYTES(VIEW(ONE("\0"), BIG "\x85", ONE("\0") "\x85")), OSC_EFORMAT,
      "stride 0 of dimension 0: an element is there twice" },
    { BYTES(VIEW(ONE("\0"), ONE("\2") ONE("\4") "\x86", ONE("\0") ONE("\1") "\x86")), OSC_EFORMAT,
      "shape [2, 4]: stride 0 of dimension 0: an element" },
    { BYTES(VIEW(ONE("\0"), ONE("\6") ONE("\6") "\x86", ONE("\1") ONE("\1") "\x86")), OSC_EFORMAT,
      "stride 1 of dimension 1: an element is there twice" },
    { BYTES(VIEW(ONE("\0"), "K\3K\3\x86", "K\1K\2\x86")), OSC_EFORMAT, "stride 2 of dimension 1" },
    { BYTES(VIEW(ONE("\0"), "K\3K\3\x86", "K\3K\1\x86")), OSC_OK, NULL },
    { BYTES(VIEW(ONE("\0"), "K\2K\3K\2\x87", "K\1K\2K\6\x87")), OSC_OK, NULL },
    { BYTES(VIEW(ONE("\0"), "K\2K\3K\2\x87", "K\1K\2K\5\x87")), OSC_EFORMAT,
      "stride 5 of dimension 2" },
    { BYTES(VIEW(ONE("\0"), "K\2K\1K\3\x87", "K\1" BIG "K\2\x87")), OSC_OK, NULL },
    { BYTES(VIEW(ONE("\0"), BIG BIG "\x86", ONE("\1") ONE("\1") "\x86")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(ONE("\0"), BIG BIG ONE("\0") "\x87", ONE("\1") ONE("\1") ONE("\1") "\x87")),
      OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(ONE("\0"), "K\5\x85", HALF "\x85")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(ONE("\0"), "K\4K\2\x86", HALF BIG "\x86")), OSC_EFORMAT, "there twice" },
    { BYTES(VIEW(ONE("\0"), "K\2K\3\x86", HALF BIG "\x86")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(BIG, "K\3\x85", HALF "\x85")), OSC_EFORMAT,
      "offset 9223372036854775807 and a reach of 9223372036854775808 go beyond" },
    { BYTES(VIEW(BIG, "K\1\x85", ONE("\1") "\x85")), OSC_EFORMAT, "a reach of 0 go beyond" },
    { BYTES(VIEW(ONE("\0"), HALF "\x85", "K\5\x85")), OSC_EFORMAT, "2^64" },
    { BYTES(VIEW(ONE("\0"), HALF "\x85", "K\1\x85")), OSC_EFORMAT,
      "a reach of 4611686018427387903" },
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
        { BYTES("ctorch._utils\n_rebuild_parameter\n") }, { BYTES("ctorch\nSize\n") },
        { BYTES(GOOD) },
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

int main(void)
{
    Suite *suite = suite_create("pickle");
    TCase *tc = tcase_create("pickle");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_pickles);
    tcase_add_test(tc, test_bombs);
    tcase_add_test(tc, test_shared_text_and_storage);
    tcase_add_test(tc, test_copies);
    tcase_add_test(tc, test_random_programs);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
