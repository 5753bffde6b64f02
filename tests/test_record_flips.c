/* Records damaged at random: read as they were written or refused, never anything else.
 * 1,000 cases; 20,000 under `make check-long`. */
#include <config.h>
#include "run.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mix.h"
#include "record_sim.h"

enum { BATCHES = 10, SECTOR = 512 };

static uint64_t drawn;      /* numbers so far */

static uint64_t random_below(uint64_t limit)
{
    return osc_random_at(7, drawn++) % limit;
}

static void save(const char *path, const char *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    ck_assert(out != NULL);
    ck_assert_uint_eq(fwrite(bytes, 1, size, out), size);
    fclose(out);
}

/* Bytes changed, a sector lost, the end cut off.  The size that is left. */
static size_t damage(char *bytes, size_t size)
{
    uint64_t kind = random_below(8);
    if (kind == 0)
        return (size_t)random_below(size);
    if (kind == 1) {
        size_t sector = (size_t)random_below(size / SECTOR);
        memset(bytes + sector * SECTOR, 0, SECTOR);
        return size;
    }
    for (uint64_t i = 0, flips = kind < 5 ? 1 : 1 + random_below(16); i < flips; i++)
        bytes[random_below(size)] ^= (char)(1 + random_below(255));
    return size;
}

START_TEST(test_flips)
{
    size_t size, refused = 0, rounds = getenv("OSC_LONG") != NULL ? 2000 : 100;
    uint64_t whole, found;
    char *bytes;
    sim_make(sim_a);
    ck_ok(sim_digest(sim_a, &whole));
    ck_ok(osc_read_file(&bytes, &size, sim_a, (size_t)1 << 30));
    char *damaged = osc_alloc(size, 1);
    drawn = (uint64_t)_i << 32;
    for (size_t i = 0; i < rounds; i++) {
        memcpy(damaged, bytes, size);
        size_t left = damage(damaged, size);
        save(sim_b, damaged, left);
        osc_status status = sim_digest(sim_b, &found);
        ck_assert_msg(status == OSC_EFORMAT || (status == OSC_OK && found == whole),
                      "batch %d, case %zu: %s", _i, i, status == OSC_OK ? "another content"
                                                                        : osc_error());
        if (status != OSC_OK)
            sim_error_has(sim_b);
        refused += status != OSC_OK;
    }
    ck_assert_uint_gt(refused, rounds / 2);
    osc_free(damaged);
    osc_free(bytes);
}
END_TEST

/* Each byte of the checksums themselves, one at a time. */
START_TEST(test_checksums)
{
    size_t size;
    uint64_t whole, found;
    char *bytes;
    sim_make(sim_a);
    ck_ok(sim_digest(sim_a, &whole));
    ck_ok(osc_read_file(&bytes, &size, sim_a, (size_t)1 << 30));
    const char *magic = memmem(bytes, size, "oscseal\n", 8);
    ck_assert(magic != NULL);
    for (size_t at = (size_t)(magic - bytes); at < size; at += at < size - 64 ? 7 : 1) {
        bytes[at] ^= 0x20;
        save(sim_b, bytes, size);
        ck_assert_int_eq(sim_digest(sim_b, &found), OSC_EFORMAT);
        sim_error_has("checksums");
        bytes[at] ^= 0x20;
    }
    osc_free(bytes);
}
END_TEST

/* Without checksums, as an older program wrote it or another one changed it. */
START_TEST(test_without)
{
    uint64_t whole, found;
    sim_make(sim_a);
    ck_ok(sim_digest(sim_a, &whole));
    sim_unseal(sim_a);
    ck_ok(sim_digest(sim_a, &found));
    ck_assert_uint_eq(found, whole);
    osc_recorder_options options = sim_options(sim_b);
    options.overwrite = true;
    ck_ok(sim_record_all(&options, 2, 5));
    sim_unseal(sim_b);
    options.resume = true;
    ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    sim_same_files(sim_a, sim_b);
    size_t size;
    char *bytes;
    ck_ok(osc_read_file(&bytes, &size, sim_b, (size_t)1 << 30));
    ck_assert(memmem(bytes, size, "oscseal\n", 8) != NULL);
    osc_free(bytes);
}
END_TEST

int main(void)
{
    if (!sim_set_up())
        return EXIT_FAILURE;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    Suite *suite = suite_create("record_flips");
    TCase *tc = tcase_create("record_flips");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_flips, 0, BATCHES);
    tcase_add_test(tc, test_checksums);
    tcase_add_test(tc, test_without);
    suite_add_tcase(suite, tc);
    int result = run_suite(suite);
    sim_clean_up();
    return result;
}
