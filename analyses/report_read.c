/* Reading a folder of results. */
#include <config.h>
#include "analyses/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JSON_MOST = 64 << 20 };

/* Folders with results, below the one given. */
static const char *const folders[] = { "", "cells" };

typedef struct {
    char **name;            /* [count] relative to the report's folder, owned */
    size_t count, capacity;
} file_list;

/* --- which files ------------------------------------------------------------------ */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

/* Hidden files and unfinished ones (cli/output.h, record files' locks) are nobody's results. */
static bool is_candidate(const char *name)
{
    return name[0] != '.' && (ends_with(name, ".h5") || ends_with(name, ".hdf5")
                              || ends_with(name, ".json"));
}

static osc_status add_file(file_list *list, const char *folder, const char *name)
{
    char **grown = osc_grow(list->name, &list->capacity, list->count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    list->name = grown;
    char *path = folder[0] == '\0' ? osc_copy_string(name, strlen(name))
                                   : osc_path_join(folder, name);
    if (path == NULL)
        return OSC_ENOMEM;
    list->name[list->count++] = path;
    return OSC_OK;
}

static osc_status list_folder(file_list *list, const char *root, const char *below)
{
    char *path = below[0] == '\0' ? osc_copy_string(root, strlen(root))
                                  : osc_path_join(root, below);
    if (path == NULL)
        return OSC_ENOMEM;
    DIR *folder = opendir(path);
    osc_status status = OSC_OK;
    if (folder == NULL && below[0] == '\0')
        status = osc_fail(errno == ENOENT ? OSC_ENOTFOUND : OSC_EIO, "%s: cannot read: %s", root,
                          strerror(errno));
    for (struct dirent *entry; folder != NULL && status == OSC_OK
                               && (entry = readdir(folder)) != NULL; )
        if (is_candidate(entry->d_name))
            status = add_file(list, below, entry->d_name);
    if (folder != NULL)
        closedir(folder);
    osc_free(path);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static osc_status list_files(file_list *list, const char *root)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        OSC_TRY(list_folder(list, root, folders[i]));
    if (list->count > 0)
        qsort(list->name, list->count, sizeof *list->name, by_name);
    return OSC_OK;
}

/* --- records ---------------------------------------------------------------------- */

static osc_status add_record(report *r, const char *file, const char *path)
{
    static const outlier_options options = { .rule = FEATURE_RULE_DEFAULT };
    outlier_result *grown = osc_grow(r->record, &r->record_room, r->records + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    r->record = grown;
    outlier_result result;
    osc_record *record;
    OSC_TRY(outliers_read(&result, path, &options));
    osc_status status = osc_record_open(&record, path);
    if (status == OSC_OK) {
        status = report_add_record_source(r, file, osc_record_get_info(record));
        osc_record_close(record);
    }
    char *name = status == OSC_OK ? osc_copy_string(file, strlen(file)) : NULL;
    if (name == NULL) {
        outliers_free(&result);
        return status != OSC_OK ? status : OSC_ENOMEM;
    }
    osc_free(result.path);
    result.path = name;
    result.order = r->records;
    r->record[r->records++] = result;
    return OSC_OK;
}

/* --- perplexities ----------------------------------------------------------------- */

/* Is the cell there already?  OSC_EVALUE if with another number: then the first stays. */
static osc_status find_same(bool *found, const scheme_cells *cells, const scheme_cell *cell)
{
    for (size_t i = 0; i < cells->count; i++) {
        const scheme_cell *other = &cells->cell[i];
        if (!schemes_comparable(other, cell) || strcmp(other->scheme, cell->scheme) != 0)
            continue;
        *found = true;
        bool same = other->nll == cell->nll || (isnan(other->nll) && isnan(cell->nll));
        return same ? OSC_OK : osc_fail(OSC_EVALUE, "%s under %s: nll %.17g, another file has "
                                        "%.17g for the same text; the latter is shown",
                                        cell->model, cell->scheme, cell->nll, other->nll);
    }
    return OSC_OK;
}

static bool is_study(const scheme_cell *cell)
{
    return !isnan(cell->columns);
}

static osc_status take_cell(report *r, const char *file, const scheme_cell *cell)
{
    scheme_cells *cells = is_study(cell) ? &r->study : &r->schemes;
    bool found = false;
    if (find_same(&found, cells, cell) != OSC_OK)
        OSC_TRY(report_add_notice(r, file, osc_error()));
    return found ? OSC_OK : schemes_add(cells, cell);
}

/* One source per model and text of the file. */
static osc_status add_scheme_sources(report *r, const char *file, const scheme_cells *cells)
{
    for (size_t i = 0; i < cells->count; i++) {
        size_t j = 0;
        while (!schemes_comparable(&cells->cell[i], &cells->cell[j]))
            j++;
        if (j == i)
            OSC_TRY(report_add_scheme_source(r, file, &cells->cell[i]));
    }
    return OSC_OK;
}

static osc_status add_schemes(report *r, const char *file, const json_t *root)
{
    scheme_cells cells = { .cell = NULL };
    osc_status status = schemes_parse(&cells, root);
    if (status == OSC_OK)
        status = add_scheme_sources(r, file, &cells);
    for (size_t i = 0; i < cells.count && status == OSC_OK; i++)
        status = take_cell(r, file, &cells.cell[i]);
    schemes_free(&cells);
    return status;
}

/* Gives every threshold study its scheme none, and both lists their order. */
static osc_status finish_schemes(report *r)
{
    size_t studied = r->study.count;
    for (size_t i = 0; i < r->schemes.count && studied > 0; i++) {
        const scheme_cell *cell = &r->schemes.cell[i];
        bool wanted = false;
        for (size_t j = 0; j < studied && strcmp(cell->scheme, "none") == 0; j++)
            wanted |= schemes_comparable(cell, &r->study.cell[j]);
        if (wanted)
            OSC_TRY(schemes_add(&r->study, cell));
    }
    schemes_sort(&r->schemes);
    schemes_sort(&r->study);
    schemes_sort_study(&r->study);
    return OSC_OK;
}

/* --- ablations -------------------------------------------------------------------- */

static bool is_ablation(const json_t *root)
{
    return json_object_get(root, "baseline") != NULL && json_object_get(root, "zeroed") != NULL;
}

static osc_status add_ablation(report *r, const char *file, const json_t *root)
{
    ablation *grown = osc_grow(r->ablation, &r->ablation_room, r->ablations + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    r->ablation = grown;
    char **files = osc_grow(r->ablation_file, &r->ablation_file_room, r->ablations + 1,
                            sizeof *files);
    if (files == NULL)
        return OSC_ENOMEM;
    r->ablation_file = files;
    ablation a = { .layers = 0 };
    OSC_TRY(ablation_parse(&a, root));
    osc_status status = report_add_ablation_source(r, file, &a);
    char *name = status == OSC_OK ? osc_copy_string(file, strlen(file)) : NULL;
    if (name == NULL) {
        ablation_free(&a);
        return status != OSC_OK ? status : OSC_ENOMEM;
    }
    r->ablation_file[r->ablations] = name;
    r->ablation[r->ablations++] = a;
    return OSC_OK;
}

/* --- zero-shot tasks --------------------------------------------------------------- */

/* Of two files with the same numbers the first counts. */
static osc_status take_accuracy(report *r, const char *file, const zeroshot_cell *cell)
{
    for (size_t i = 0; i < r->zeroshot.count; i++) {
        const zeroshot_cell *other = &r->zeroshot.cell[i];
        if (!zeroshot_same(other, cell))
            continue;
        if (other->acc == cell->acc || (isnan(other->acc) && isnan(cell->acc)))
            return OSC_OK;
        osc_fail(OSC_EVALUE, "%s under %s on %s: accuracy %.17g, another file has %.17g for the "
                 "same data; the latter is shown", cell->model, cell->scheme, cell->task,
                 cell->acc, other->acc);
        return report_add_notice(r, file, osc_error());
    }
    OSC_TRY(report_add_zeroshot_source(r, file, cell));
    return zeroshot_add(&r->zeroshot, cell);
}

static osc_status add_zeroshot(report *r, const char *file, const json_t *root)
{
    zeroshot_cells cells = { .cell = NULL };
    osc_status status = zeroshot_parse(&cells, root);
    for (size_t i = 0; i < cells.count && status == OSC_OK; i++)
        status = take_accuracy(r, file, &cells.cell[i]);
    zeroshot_free(&cells);
    return status;
}

/* --- what a file is ---------------------------------------------------------------- */

/* Rows of another command, which records have too. */
static bool has_rows_of(const json_t *root, const char *key)
{
    return json_object_get(json_array_get(root, 0), key) != NULL;
}

static osc_status add_json(report *r, const char *file, const json_t *root)
{
    if (schemes_are(root))
        return add_schemes(r, file, root);
    if (is_ablation(root))
        return add_ablation(r, file, root);
    if (zeroshot_are(root))
        return add_zeroshot(r, file, root);
    if (has_rows_of(root, "sqnr_db"))
        return osc_fail(OSC_EUNSUP, "errors of layers, which the report does not show");
    if (has_rows_of(root, "one_sided"))
        return osc_fail(OSC_EUNSUP, "a table of outliers, which the report makes from records");
    return osc_fail(OSC_EFORMAT, "JSON, but not of perplexity, compare, ablate or zeroshot");
}

static osc_status read_json(report *r, const char *file, const char *path)
{
    json_t *root;
    OSC_TRY(osc_json_read(&root, path, JSON_MOST, OSC_JSON_STRICT));
    osc_status status = OSC_OK;
    if (strcmp(file, "sweep.json") == 0 && json_is_object(root) && r->sweep == NULL)
        r->sweep = json_incref(root);
    else
        status = add_json(r, file, root);
    json_decref(root);
    return status;
}

/* The first bytes of an HDF5 file. */
static osc_status is_hdf5(bool *yes, const char *path)
{
    static const char signature[8] = "\x89HDF\r\n\x1a\n";
    char first[sizeof signature] = "";
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* a FIFO must not hold us */
    if (fd < 0)
        return osc_fail(OSC_EIO, "%s: cannot read: %s", path, strerror(errno));
    ssize_t got = fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
                ? read(fd, first, sizeof first) : -1;
    close(fd);
    if (got < 0)
        return osc_fail(OSC_EIO, "%s: cannot read: not a regular file", path);
    *yes = memcmp(first, signature, sizeof signature) == 0;
    return OSC_OK;
}

static osc_status read_file(report *r, const char *file, const char *path)
{
    bool record = false;
    OSC_TRY(is_hdf5(&record, path));
    if (record)
        return add_record(r, file, path);
    if (!ends_with(file, ".json"))
        return osc_fail(OSC_EFORMAT, "%s: not an HDF5 file", path);
    return read_json(r, file, path);
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return b != NULL && stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev
        && x.st_ino == y.st_ino;
}

/* Whatever is wrong with a file concerns that file alone. */
static osc_status take_file(report *r, const char *file, const char *output)
{
    char *path = osc_path_join(r->folder, file);
    if (path == NULL)
        return OSC_ENOMEM;
    osc_status status = OSC_OK;
    if (!same_file(path, output) && read_file(r, file, path) != OSC_OK)
        status = report_add_notice(r, file, osc_error());
    osc_free(path);
    return status;
}

osc_status report_read(report *r, const char *folder, const char *output)
{
    file_list list = { .name = NULL };
    *r = (report){ .folder = folder };
    osc_status status = list_files(&list, folder);
    for (size_t i = 0; i < list.count && status == OSC_OK; i++)
        status = take_file(r, list.name[i], output);
    for (size_t i = 0; i < list.count; i++)
        osc_free(list.name[i]);
    osc_free(list.name);
    OSC_TRY(status);
    if (r->records > 0)
        outliers_sort(r->record, r->records, OUTLIERS_PERPLEXITY);
    OSC_TRY(finish_schemes(r));
    if (r->sources > 0)
        return OSC_OK;
    return osc_fail(OSC_ENOTFOUND, "%s: no results: neither records (.h5) nor JSON of perplexity, "
                    "compare, ablate or zeroshot%s%s%s%s", folder, r->notices > 0 ? "; " : "",
                    r->notices > 0 ? r->notice[0].file : "", r->notices > 0 ? ": " : "",
                    r->notices > 0 ? r->notice[0].message : "");
}

void report_free(report *r)
{
    for (size_t i = 0; i < r->records; i++)
        outliers_free(&r->record[i]);
    for (size_t i = 0; i < r->sources; i++)
        report_free_source(&r->source[i]);
    for (size_t i = 0; i < r->notices; i++) {
        osc_free(r->notice[i].file);
        osc_free(r->notice[i].message);
    }
    for (size_t i = 0; i < r->ablations; i++) {
        ablation_free(&r->ablation[i]);
        osc_free(r->ablation_file[i]);
    }
    osc_free(r->ablation);
    osc_free(r->ablation_file);
    osc_free(r->record);
    osc_free(r->source);
    osc_free(r->notice);
    schemes_free(&r->schemes);
    schemes_free(&r->study);
    zeroshot_free(&r->zeroshot);
    json_decref(r->sweep);
    *r = (report){ .folder = NULL };
}
