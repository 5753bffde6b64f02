/* The folder of a sweep and its sweep.json. */
#include <config.h>
#include "experiments/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyses/jsonout.h"
#include "cli/output.h"

enum { FILE_MOST = 64 << 20 };

/* --- differences ------------------------------------------------------------------------- */

static void value_text(char *text, size_t size, const json_t *value)
{
    char *dump = value == NULL ? NULL : osc_json_text(value, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(text, size, "%.100s", value == NULL ? "nothing" : dump != NULL ? dump : "?");
    osc_free(dump);
}

static osc_status differ(const char *where, const json_t *there, const json_t *here)
{
    char a[128], b[128];
    value_text(a, sizeof a, there);
    value_text(b, sizeof b, here);
    return osc_fail(OSC_EINVAL, "%s is %s there, but %s now", where, a, b);
}

static osc_status compare(const char *where, json_t *there, json_t *here);

static osc_status compare_objects(const char *where, json_t *there, json_t *here)
{
    const char *key, *dot = where[0] != '\0' ? "." : "";
    json_t *value;
    char inner[256];
    json_object_foreach(here, key, value) {
        snprintf(inner, sizeof inner, "%s%s%s", where, dot, key);
        OSC_TRY(compare(inner, json_object_get(there, key), value));
    }
    json_object_foreach(there, key, value) {
        snprintf(inner, sizeof inner, "%s%s%s", where, dot, key);
        if (json_object_get(here, key) == NULL)
            return differ(inner, value, NULL);
    }
    return OSC_OK;
}

/* A section is called by its name. */
static void element_text(char *text, size_t size, const char *where, size_t i, const json_t *value)
{
    char section[128];
    if (json_is_string(json_object_get(value, "task"))
        && json_is_string(json_object_get(value, "label")))
        snprintf(text, size, "[%s]", sweep_section_text(section, sizeof section, value));
    else
        snprintf(text, size, "%s[%zu]", where, i);
}

static osc_status compare_arrays(const char *where, json_t *there, json_t *here)
{
    size_t most = json_array_size(there);
    if (json_array_size(here) > most)
        most = json_array_size(here);
    for (size_t i = 0; i < most; i++) {
        json_t *a = json_array_get(there, i), *b = json_array_get(here, i);
        char inner[256];
        element_text(inner, sizeof inner, where, i, a != NULL ? a : b);
        OSC_TRY(compare(inner, a, b));
    }
    return OSC_OK;
}

/* The first difference, with its place in the tree; the digest of it all comes last. */
static osc_status compare(const char *where, json_t *there, json_t *here)
{
    if (json_is_object(there) && json_is_object(here))
        return compare_objects(where, there, here);
    if (json_is_array(there) && json_is_array(here))
        return compare_arrays(where, there, here);
    return json_equal(there, here) ? OSC_OK : differ(where, there, here);
}

static osc_status check_same(const sweep *s, const char *path)
{
    json_t *there;
    OSC_TRY(osc_json_read(&there, path, FILE_MOST, OSC_JSON_STRICT));
    osc_status status = json_is_object(there) ? compare("", there, s->conf.json)
                      : osc_fail(OSC_EFORMAT, "is no sweep");
    json_decref(there);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, path);
}

/* --- the folder -------------------------------------------------------------------------- */

static osc_status make_folder(const char *path)
{
    if (path == NULL)
        return OSC_ENOMEM;
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return OSC_OK;
    return osc_fail(OSC_EIO, "%s: cannot make the folder: %s", path, strerror(errno));
}

static osc_status make_folders(const sweep *s)
{
    static const char *const names[] = { "cells", "tables", "figures" };
    OSC_TRY(make_folder(s->folder));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = sweep_path(s, names[i]);
        osc_status status = make_folder(path);
        osc_free(path);
        OSC_TRY(status);
    }
    return OSC_OK;
}

osc_status sweep_lock(int *lock, const sweep *s)
{
    char *path = sweep_path(s, "sweep.lock");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    osc_free(path);
    if (fd < 0)
        return osc_fail(OSC_EIO, "%s/sweep.lock: cannot write: %s", s->folder, strerror(errno));
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR) {
            close(fd);
            return osc_fail(OSC_EIO, "%s/sweep.lock: cannot lock: %s", s->folder,
                            strerror(errno));
        }
    *lock = fd;
    return OSC_OK;
}

void sweep_remove_stale(const sweep *s, const char *folder, const char *prefix)
{
    char *path = sweep_path(s, folder);
    DIR *entries = path != NULL ? opendir(path) : NULL;
    for (struct dirent *e; entries != NULL && (e = readdir(entries)) != NULL; ) {
        size_t length = strlen(e->d_name);
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && length > 4
            && strcmp(e->d_name + length - 4, ".tmp") == 0)
            unlinkat(dirfd(entries), e->d_name, 0);
    }
    if (entries != NULL)
        closedir(entries);
    osc_free(path);
}

static osc_status write_file(const sweep *s, const char *path)
{
    cli_output output;
    OSC_TRY(cli_output_open(&output, path));
    osc_status status = json_out_write(json_incref(s->conf.json), output.stream);
    if (status == OSC_OK)
        return cli_output_commit(&output);
    cli_output_abort(&output);
    return status;
}

static osc_status open_locked(const sweep *s, const char *path, bool resume)
{
    if (!osc_file_exists(path))
        return write_file(s, path);
    if (!resume)
        return osc_fail(OSC_EINVAL, "%s holds a sweep: --resume goes on with it, -o DIR makes "
                        "another", s->folder);
    return check_same(s, path);
}

/* SHA-256 of the configuration as it is normalised: comments do not count. */
static osc_status add_digest(const sweep *s)
{
    char *text = osc_json_text(s->conf.json, JSON_COMPACT | JSON_SORT_KEYS), hex[OSC_DIGEST_HEX];
    osc_digest *digest = NULL;
    osc_status status = text != NULL ? osc_digest_create(&digest) : OSC_ENOMEM;
    if (status == OSC_OK)
        status = osc_digest_add(digest, text, strlen(text));
    if (status == OSC_OK)
        status = osc_digest_finish(digest, hex);
    osc_digest_free(digest);
    osc_free(text);
    OSC_TRY(status);
    return json_object_set_new(s->conf.json, "config_sha256", json_string(hex)) == 0
         ? OSC_OK : OSC_ENOMEM;
}

osc_status sweep_file_open(const sweep *s, bool resume)
{
    int lock;
    OSC_TRY(add_digest(s));
    OSC_TRY(make_folders(s));
    OSC_TRY(sweep_lock(&lock, s));   /* shards may begin in the same moment */
    char *path = sweep_path(s, "sweep.json");
    osc_status status = path != NULL ? open_locked(s, path, resume) : OSC_ENOMEM;
    osc_free(path);
    close(lock);
    return status;
}
