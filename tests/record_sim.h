/* A simulated run for the tests of records: pseudo-random activations of a small
 * model with ugly sizes, delivered to a recorder's hooks as the engine would. */
#ifndef RECORD_SIM_H
#define RECORD_SIM_H

#include <check.h>

#include "record/record.h"

/* Features left out of the second attention top-1 mass. */
enum { SIM_WITHOUT = 3 };
extern const uint32_t sim_without[SIM_WITHOUT];

enum {
    SIM_LAYERS = 3, SIM_HEADS = 5, SIM_HIDDEN = 33, SIM_FFN = 71,
    SIM_LENGTH = 17, SIM_SEQUENCES = 11,
    SIM_TRACK = 1 << OSC_AT_QKV_IN | 1 << OSC_AT_OUT_IN | 1 << OSC_AT_FC1_IN,
    SIM_POINTS = SIM_TRACK | 1 << OSC_AT_FC2_IN,
    SIM_RAW = 1 << OSC_AT_OUT_IN | 1 << OSC_AT_FC1_OUT,
    SIM_MODULES = 1 << OSC_AT_QKV_IN | 1 << OSC_AT_ATTN_OUT | 1 << OSC_AT_RESID_POST
                | 1 << OSC_AT_FINAL_NORM,
    SIM_STATES = SIM_LAYERS + 1,
};

osc_observer_shape sim_shape(void);
osc_corpus sim_corpus(void);
/* Everything recorded, cap of a million events, commits only when forced. */
osc_recorder_options sim_options(const char *path);

/* Activation at a place: about N(0, 1) with a few features of magnitude 6 and more. */
float sim_value(osc_point point, size_t layer, size_t sequence, size_t position, size_t feature);
/* What a backend would reduce the residual stream to, and a module's output; sequences of
 * the corpus; state SIM_LAYERS is the last block's output.  Adds to `stats` unless NULL. */
osc_residual sim_residual(size_t state, size_t sequence, const osc_residual_stats *stats);
osc_summary sim_summary(osc_point point, size_t layer, size_t sequence);
double sim_nll(size_t sequence, size_t position);
size_t sim_width(osc_point point);

/* Runs sequences first .. first+count-1 as one chunk. */
osc_status sim_run(const osc_hooks *hooks, size_t first, size_t count, double *nll);

/* Records from where the recorder stands, `chunk` sequences at a time, at most up to
 * `end`, then finishes. */
osc_status sim_record(osc_recorder *recorder, size_t chunk, size_t end);

/* Records shard `shard` of `shards`, at most `most` sequences of it; `options` are those of
 * the whole. */
osc_status sim_record_shard(const osc_recorder_options *options, size_t shard, size_t shards,
                            size_t chunk, size_t most);

/* Opens a recorder, records the whole with sim_record, frees it. */
osc_status sim_record_all(const osc_recorder_options *options, size_t chunk, size_t end);

/* Checks that both files have the same objects, the same data bit for bit and the
 * same attributes, `time` and `threads` aside; fails the test otherwise. */
void sim_same_files(const char *path, const char *other);
/* The same of a record of one run and a merged one, whose sums may differ by 1e-12 and
 * whose attribute `merged` is its own. */
void sim_same_merged(const char *path, const char *merged);

/* --- helpers of the tests ---------------------------------------------------------- */

/* Two names in a new folder; sim_clean_up removes both and the folder. */
extern char sim_folder[32], sim_a[64], sim_b[64];
bool sim_set_up(void);
void sim_clean_up(void);

#define ck_ok(call) ck_assert_msg((call) == OSC_OK, "%s: %s", #call, osc_error())
/* The last message has `text` in it. */
void sim_error_has(const char *text);
osc_status sim_open(osc_recorder **recorder, const osc_recorder_options *options);
/* A complete record at `path`, in the place of what is there. */
void sim_make(const char *path);

/* A digest of all that can be read of the record of a simulated run; OSC_OK or the first
 * failure. */
osc_status sim_digest(const char *path, uint64_t *digest);
/* Opens the record to be changed and closes it, as another program does: it has no checksums
 * of our own afterwards. */
void sim_unseal(const char *path);

/* Events that grow; a callback of osc_record_events with a list as `user`. */
typedef struct {
    osc_record_event *event;
    size_t            count, room;
} sim_events;
osc_status sim_collect(void *user, const osc_record_event *events, size_t count);

#endif
