/* The zip container of pytorch_model.bin: damaged and crafted records, ZIP64. */
#include <config.h>
#include "run.h"

#include <fcntl.h>

#include "store/store.h"
#include "torch_case.h"

static struct zip_file zip;

static const char good_pickle[] = W(GOOD);

/* Fields of an entry's record. */
enum {
    FLAGS = 8, METHOD = 10, CRC = 16, PACKED = 20, SIZE = 24, NAME = 28, EXTRA = 30, OFFSET = 42
};

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
static void damage_directory_far(void)
{
    patch(&zip.bytes, zip.end + 16, 0xffffffffu, 4);
    patch(&zip.bytes, zip.end64 + 48, zip.directory + 1, 8);
}

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
    { "deflated", damage_deflated, OSC_EUNSUP,
      "member 'archive/data/0': is compressed (method 8)" },
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
    { "directory beyond", damage_directory_far, OSC_EFORMAT, "goes beyond its end record" },
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
    static const struct {
        uint16_t    id;
        bool        cut;
        osc_status  status;
        const char *message;
    } cases[] = {
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

int main(void)
{
    Suite *suite = suite_create("zip");
    TCase *tc = tcase_create("zip");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_zip_damage);
    tcase_add_test(tc, test_members);
    tcase_add_test(tc, test_zip64);
    tcase_add_test(tc, test_over_4_gigabytes);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
