/* Reading a sweep's configuration file: lines to the normalised JSON. */
#include <config.h>
#include "experiments/sweep.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 1 << 20, WORDS_MOST = 4096 };

/* Where the reading is.  JSON values without a comment are borrowed from `conf`. */
typedef struct {
    const char       *path;
    size_t            line;
    json_t           *root, *models, *tasks;
    json_t           *general;       /* keys before the first section; owned */
    const sweep_task *task;          /* of the section, NULL before the first */
    json_t           *options;       /* of the section */
    json_t           *words;         /* value being gathered, owned; NULL: none */
    char              name[64];      /* its key */
    size_t            first;         /* its line */
    size_t            at;            /* the line that an error is about */
} reader;

/* --- words --------------------------------------------------------------------------- */

static const char blanks[] = " \t\r";

/* Appends the words of `text`, which are separated by blanks; "..." holds blanks; a #
 * where a word would begin starts a comment. */
static osc_status add_words(json_t *words, const char *text)
{
    for (;;) {
        text += strspn(text, blanks);
        if (*text == '\0' || *text == '#')
            return OSC_OK;
        bool quoted = *text == '"';
        text += quoted;
        size_t length = strcspn(text, quoted ? "\"" : blanks);
        if (length == 0)
            return osc_fail(OSC_EINVAL, "an empty word");
        if (quoted && text[length] != '"')
            return osc_fail(OSC_EINVAL, "a quotation mark is not closed");
        json_t *word = json_stringn(text, length);
        if (word == NULL)
            return osc_fail(OSC_EINVAL, "text that is not UTF-8");
        if (json_array_append_new(words, word) != 0 || json_array_size(words) > WORDS_MOST)
            return osc_fail(OSC_EINVAL, "more than %d words", WORDS_MOST);
        text += length + quoted;
    }
}

/* --- values ---------------------------------------------------------------------------- */

static osc_status check_value(const sweep_key *key, const char *value)
{
    size_t size;
    double number;
    if (key->type == CLI_SIZE)
        return osc_parse_size(&size, key->name, value, (size_t)key->lowest, (size_t)key->highest);
    if (key->type == CLI_NUMBER)
        return osc_parse_double(&number, key->name, value, key->lowest, key->highest);
    return key->check != NULL ? key->check(value) : OSC_OK;
}

static osc_status only_word(const char **word, const reader *r)
{
    if (json_array_size(r->words) != 1)
        return osc_fail(OSC_EINVAL, "%s takes one value, not %zu", r->name,
                        json_array_size(r->words));
    *word = json_string_value(json_array_get(r->words, 0));
    return OSC_OK;
}

/* An array, true, or text as for the command line; NULL for a switch that is off. */
static osc_status make_value(json_t **value, const sweep_key *key, const reader *r)
{
    const char *word = NULL;
    if (key->type == CLI_LIST) {
        size_t i;
        json_t *item;
        json_array_foreach(r->words, i, item)
            OSC_TRY(check_value(key, json_string_value(item)));
        *value = json_incref(r->words);
        return OSC_OK;
    }
    OSC_TRY(only_word(&word, r));
    if (key->type == CLI_SWITCH) {
        bool on = strcmp(word, "yes") == 0;
        if (!on && strcmp(word, "no") != 0)
            return osc_fail(OSC_EINVAL, "%s is yes or no, not '%s'", r->name, word);
        *value = on ? json_true() : json_false();
        return OSC_OK;
    }
    OSC_TRY(check_value(key, word));
    *value = json_string(word);
    return *value != NULL ? OSC_OK : OSC_ENOMEM;
}

static osc_status add_models(const reader *r)
{
    if (json_array_size(r->models) > 0)
        return osc_fail(OSC_EINVAL, "models is said twice");
    return json_array_extend(r->models, r->words) == 0 ? OSC_OK : OSC_ENOMEM;
}

/* Of the page that `report` makes. */
static osc_status add_title(const reader *r)
{
    const char *title = NULL;
    OSC_TRY(only_word(&title, r));
    if (json_object_get(r->root, "title") != NULL)
        return osc_fail(OSC_EINVAL, "title is said twice");
    return json_object_set_new(r->root, "title", json_string(title)) == 0 ? OSC_OK : OSC_ENOMEM;
}

static osc_status add_setting(const reader *r)
{
    const sweep_key *key;
    json_t *value = NULL, *options = r->task != NULL ? r->options : r->general;
    if (json_array_size(r->words) == 0)
        return osc_fail(OSC_EINVAL, "%s has no value", r->name);
    bool models = strcmp(r->name, "models") == 0, title = strcmp(r->name, "title") == 0;
    if ((models || title) && r->task != NULL)
        return osc_fail(OSC_EINVAL, "%s is for all tasks: it stands before the sections", r->name);
    if (models || title)
        return models ? add_models(r) : add_title(r);
    OSC_TRY(sweep_key_find(&key, r->task, r->name));
    if (json_object_get(options, r->name) != NULL)
        return osc_fail(OSC_EINVAL, "%s is said twice", r->name);
    OSC_TRY(make_value(&value, key, r));
    return json_object_set_new(options, r->name, value) == 0 ? OSC_OK : OSC_ENOMEM;
}

static osc_status end_value(reader *r)
{
    if (r->words == NULL)
        return OSC_OK;
    r->at = r->first;
    osc_status status = add_setting(r);
    json_decref(r->words);
    r->words = NULL;
    return status;
}

/* --- lines ------------------------------------------------------------------------------ */

/* What follows "[": "task]" or "task label]". */
static osc_status begin_section(reader *r, char *text)
{
    char *close = strchr(text, ']'), *rest = close == NULL ? NULL : close + 1;
    if (rest == NULL || strchr("#", rest[strspn(rest, blanks)]) == NULL)
        return osc_fail(OSC_EINVAL, "a section is [TASK] or [TASK LABEL]");
    *close = '\0';
    json_t *words = json_array();
    osc_status status = add_words(words, text);
    size_t count = json_array_size(words);
    const char *name = json_string_value(json_array_get(words, 0));
    const char *label = count > 1 ? json_string_value(json_array_get(words, 1)) : "";
    if (status == OSC_OK && (count < 1 || count > 2))
        status = osc_fail(OSC_EINVAL, "a section is [TASK] or [TASK LABEL]");
    if (status == OSC_OK)
        status = sweep_task_find(&r->task, name);
    for (const char *c = label; *c != '\0' && status == OSC_OK; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            status = osc_fail(OSC_EINVAL, "label '%s': letters, digits, - and _", label);
    if (status == OSC_OK) {
        json_t *section = json_pack("{s:s, s:s, s:{}}", "task", name, "label", label, "options");
        r->options = json_object_get(section, "options");
        if (json_array_append_new(r->tasks, section) != 0)
            status = OSC_ENOMEM;
    }
    json_decref(words);
    return status;
}

/* Splits "key = ..." at the '='; the key is cut to its letters. */
static osc_status split_key(char *key, size_t size, const char *text, const char *equals)
{
    size_t length = (size_t)(equals - text);
    while (length > 0 && strchr(blanks, text[length - 1]) != NULL)
        length--;
    if (length == 0 || length >= size)
        return osc_fail(OSC_EINVAL, "a key of %zu characters", length);
    memcpy(key, text, length);
    key[length] = '\0';
    return OSC_OK;
}

static osc_status begin_value(reader *r, const char *text, const char *equals)
{
    OSC_TRY(split_key(r->name, sizeof r->name, text, equals));
    r->first = r->line;
    r->words = json_array();
    return add_words(r->words, equals + 1);
}

/* An indented "length = 256" is not meant as more words of the value above. */
static bool is_setting(const reader *r, const char *text)
{
    char name[64];
    const sweep_key *key;
    const char *equals = strchr(text, '=');
    return equals != NULL && split_key(name, sizeof name, text, equals) == OSC_OK
        && sweep_key_find(&key, r->task, name) == OSC_OK;
}

static osc_status read_line(reader *r, char *text)
{
    size_t start = strspn(text, blanks);
    r->at = r->line;
    if (text[start] == '\0' || text[start] == '#' || text[start] == ';')
        return OSC_OK;
    if (start > 0) {
        if (r->words == NULL)
            return osc_fail(OSC_EINVAL, "an indented line continues a value, and there is none");
        if (is_setting(r, text + start))
            return osc_fail(OSC_EINVAL, "an indented line continues the value above; keys begin "
                            "at the left");
        return add_words(r->words, text + start);
    }
    OSC_TRY(end_value(r));
    r->at = r->line;
    if (*text == '[')
        return begin_section(r, text + 1);
    const char *equals = strchr(text, '=');
    return equals != NULL ? begin_value(r, text, equals)
         : osc_fail(OSC_EINVAL, "'%.40s' is neither KEY = VALUE nor [TASK]", text);
}

static osc_status read_lines(reader *r, char *text)
{
    osc_status status = OSC_OK;
    for (char *line; status == OSC_OK && (line = strsep(&text, "\n")) != NULL; ) {
        r->line++;
        status = read_line(r, line);
    }
    if (status == OSC_OK)
        status = end_value(r);
    if (status == OSC_OK)
        return OSC_OK;
    char prefix[512];
    snprintf(prefix, sizeof prefix, "%s:%zu", r->path, r->at);
    return osc_fail_in(OSC_EINVAL, prefix);
}

/* --- what follows from the whole -------------------------------------------------------- */

/* Gives a section the general settings that it does not have itself. */
static osc_status inherit(const reader *r, json_t *section)
{
    const sweep_task *task;
    const char *key;
    json_t *value, *options = json_object_get(section, "options");
    OSC_TRY(sweep_task_find(&task, json_string_value(json_object_get(section, "task"))));
    json_object_foreach(r->general, key, value)
        if (sweep_key_is_of(task, key) && json_object_get(options, key) == NULL
            && json_object_set(options, key, value) != 0)
            return OSC_ENOMEM;
    json_t *schemes = json_object_get(options, "schemes");
    schemes = schemes != NULL ? json_incref(schemes)
            : task->schemes == SCHEMES_EACH ? json_pack("[s]", "none") : json_array();
    json_object_del(options, "schemes");
    return json_object_set_new(section, "schemes", schemes) == 0 ? OSC_OK : OSC_ENOMEM;
}

static osc_status text_digest(char hex[OSC_DIGEST_HEX], const sweep_conf *conf,
                              const json_t *section)
{
    const json_t *options = json_object_get(section, "options");
    const char *name = json_string_value(json_object_get(options, "tokens"));
    if (name == NULL)
        name = json_string_value(json_object_get(options, "text"));
    char *path = name == NULL ? cli_shipped(RUN_DEFAULT_TEXT) : sweep_conf_path(conf, name);
    osc_mapping file = { .data = NULL };
    osc_digest *digest = NULL;
    osc_status status = path != NULL ? osc_mapping_open(&file, path) : OSC_ENOTFOUND;
    osc_free(path);
    OSC_TRY(status);
    status = osc_digest_create(&digest);
    if (status == OSC_OK)
        status = osc_digest_add(digest, file.data, file.size);
    if (status == OSC_OK)
        status = osc_digest_finish(digest, hex);
    if (status == OSC_OK)
        status = osc_mapping_check(&file);
    osc_digest_free(digest);
    osc_mapping_close(&file);
    return status;
}

/* The digest of a text or of data counts, not where it is. */
static osc_status add_digest(const sweep_conf *conf, json_t *section)
{
    const sweep_task *task;
    char hex[OSC_DIGEST_HEX];
    OSC_TRY(sweep_task_find(&task, json_string_value(json_object_get(section, "task"))));
    OSC_TRY((task->text ? text_digest : sweep_zeroshot_digest)(hex, conf, section));
    return json_object_set_new(section, task->text ? "text_sha256" : "data_sha256",
                               json_string(hex)) == 0 ? OSC_OK : OSC_ENOMEM;
}

static osc_status complete(const sweep_conf *conf, const reader *r)
{
    size_t i, j;
    json_t *section;
    if (json_array_size(r->models) == 0)
        return osc_fail(OSC_EINVAL, "%s: names no models: models = DIR...", r->path);
    if (json_array_size(r->tasks) == 0)
        return osc_fail(OSC_EINVAL, "%s: has no section, such as [record]", r->path);
    json_array_foreach(r->tasks, i, section) {
        OSC_TRY(inherit(r, section));
        OSC_TRY(add_digest(conf, section));
        for (j = 0; j < i; j++) {
            const json_t *other = json_array_get(r->tasks, j);
            if (json_equal(json_object_get(section, "task"), json_object_get(other, "task"))
                && json_equal(json_object_get(section, "label"), json_object_get(other, "label")))
                return osc_fail(OSC_EINVAL, "%s: two sections [%s] need labels: [%s LABEL]",
                                r->path, json_string_value(json_object_get(other, "task")),
                                json_string_value(json_object_get(other, "task")));
        }
    }
    return OSC_OK;
}

/* --- the file ----------------------------------------------------------------------------- */

static osc_status find_folder(sweep_conf *conf, const char *path)
{
    char *real = realpath(path, NULL);
    if (real == NULL)
        return osc_fail(OSC_ENOTFOUND, "%s: no such file", path);
    conf->path = osc_copy_string(real, strlen(real));
    conf->folder = osc_copy_string(real, (size_t)(strrchr(real, '/') - real));
    free(real);
    return conf->path != NULL && conf->folder != NULL ? OSC_OK : OSC_ENOMEM;
}

char *sweep_conf_path(const sweep_conf *conf, const char *path)
{
    return path == NULL ? NULL : path[0] == '/' ? osc_copy_string(path, strlen(path))
         : osc_path_join(conf->folder, path);
}

const char *sweep_conf_name(const sweep_conf *conf)
{
    return json_string_value(json_object_get(conf->json, "name"));
}

/* "opt-mini" of ".../opt-mini.conf". */
static json_t *name_of(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    size_t length = strlen(name);
    if (length > 5 && strcmp(name + length - 5, ".conf") == 0)
        length -= 5;
    json_t *text = json_stringn(name, length);
    return text != NULL ? text : json_string("sweep");   /* a file name that is not UTF-8 */
}

osc_status sweep_conf_read(sweep_conf *conf, const char *path)
{
    char *text;
    size_t size;
    *conf = (sweep_conf){ .path = NULL };
    OSC_TRY(find_folder(conf, path));
    OSC_TRY(osc_read_file(&text, &size, path, FILE_MOST));
    conf->json = json_pack("{s:s, s:s, s:o, s:[], s:[]}", "schema", SWEEP_SCHEMA,
                           "tool", PACKAGE_STRING, "name", name_of(conf->path), "models", "tasks");
    reader r = { .path = path, .root = conf->json, .models = json_object_get(conf->json, "models"),
                 .tasks = json_object_get(conf->json, "tasks"), .general = json_object() };
    osc_status status = conf->json == NULL || r.general == NULL ? OSC_ENOMEM
                      : strlen(text) == size ? read_lines(&r, text)
                      : osc_fail(OSC_EFORMAT, "%s: is no text", path);
    if (status == OSC_OK)
        status = complete(conf, &r);
    json_decref(r.words);
    json_decref(r.general);
    osc_free(text);
    return status;
}

void sweep_conf_free(sweep_conf *conf)
{
    osc_free(conf->path);
    osc_free(conf->folder);
    json_decref(conf->json);
    *conf = (sweep_conf){ .path = NULL };
}
