/* Cases of pytorch_model.bin in the temporary folder of files.h: expectations, and
 * pickles written as string literals. */
#ifndef TORCH_CASE_H
#define TORCH_CASE_H

#include "files.h"
#include "torch_file.h"

/* Opens the folder's checkpoint and compares the outcome. */
static inline void expect(const char *label, osc_status status, const char *message)
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

static inline void put_bytes(const struct bytes *b)
{
    put("pytorch_model.bin", b->data, b->size);
}

/* Pieces of pickles.  Lengths and numbers are bytes of a string literal. */
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
/* [3, 4], all of a storage of 12. */
#define GOOD TENSOR(FLOATS, ONE("\0"), ONE("\3") ONE("\4") "\x86", ONE("\4") ONE("\1") "\x86")
#define VIEW(offset, sizes, strides) W(TENSOR(FLOATS, offset, sizes, strides))
/* {"w": value} */
#define W(value) HEAD "}" TEXT("\1", "w") value "s."
#define BIG "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f"      /* 2^63 - 1 */
#define HALF "\x8a\10\0\0\0\0\0\0\0\x40"                   /* 2^62 */

/* A literal that may hold zeros, and its size. */
#define BYTES(text) text, sizeof text - 1

static const float twelve[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

/* A zip file of this data.pkl beside the storage "0" of 48 bytes. */
static inline void zip_of(struct zip_file *z, const void *pickle, size_t size)
{
    memset(z, 0, sizeof *z);
    zip_add(z, "archive/data.pkl", pickle, size);
    zip_add(z, "archive/data/0", twelve, sizeof twelve);
    zip_add(z, "archive/version", "3\n", 2);
    zip_finish(z);
}

#endif
