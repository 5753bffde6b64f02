#include <config.h>
#include "store/members.h"

static osc_status expected(const struct osc_members *m, const char *what)
{
    return osc_fail(OSC_EFORMAT, m->at < m->size ? "byte %zu of the JSON text: expected %s"
                    : "JSON text ends early, after %zu bytes: expected %s", m->at, what);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next byte that is not space, or NUL (which no JSON text holds) at the end. */
static char peek(struct osc_members *m)
{
    while (m->at < m->size && is_space(m->text[m->at]))
        m->at++;
    return m->at < m->size ? m->text[m->at] : '\0';
}

static osc_status skip_string(struct osc_members *m)
{
    for (m->at++; m->at < m->size && m->text[m->at] != '"'; m->at++)
        if (m->text[m->at] == '\\')
            m->at++;
    if (m->at >= m->size) {
        m->at = m->size;
        return expected(m, "the end of a string");
    }
    m->at++;
    return OSC_OK;
}

/* Which bracket closes which is left to the parser of the slice. */
static osc_status skip_container(struct osc_members *m)
{
    size_t depth = 0;
    while (m->at < m->size) {
        char c = m->text[m->at];
        if (c == '"') {
            OSC_TRY(skip_string(m));
            continue;
        }
        m->at++;
        if ((c == '{' || c == '[') && ++depth >= OSC_MEMBERS_DEPTH)
            return osc_fail(OSC_EFORMAT, "byte %zu of the JSON text: nested deeper than %d",
                            m->at - 1, OSC_MEMBERS_DEPTH);
        if ((c == '}' || c == ']') && --depth == 0)
            return OSC_OK;
    }
    return expected(m, "a closing bracket");
}

static osc_status skip_value(struct osc_members *m)
{
    char c = peek(m);
    if (c == '"')
        return skip_string(m);
    if (c == '{' || c == '[')
        return skip_container(m);
    size_t from = m->at;
    while (m->at < m->size && m->text[m->at] != ',' && m->text[m->at] != '}' &&
           !is_space(m->text[m->at]))
        m->at++;
    return m->at > from ? OSC_OK : expected(m, "a value");
}

osc_status osc_members_start(struct osc_members *members, const char *text, size_t size)
{
    *members = (struct osc_members){ .text = text, .size = size };
    if (size == 0 || text[0] != '{')
        return expected(members, "'{'");
    members->at = 1;
    return OSC_OK;
}

osc_status osc_members_next(struct osc_members *members, struct osc_member *member, bool *found)
{
    struct osc_members *m = members;
    bool first = m->at == 1;
    if (peek(m) == '}') {
        m->at++;
        *found = false;
        return OSC_OK;
    }
    if (!first) {
        if (peek(m) != ',')
            return expected(m, "',' or '}'");
        m->at++;
    }
    if (peek(m) != '"')
        return expected(m, "a quoted name");
    size_t key = m->at;
    OSC_TRY(skip_string(m));
    size_t key_end = m->at;
    if (peek(m) != ':')
        return expected(m, "':'");
    m->at++;
    peek(m);
    size_t value = m->at;
    OSC_TRY(skip_value(m));
    *member = (struct osc_member){ m->text + key, key_end - key, m->text + value, m->at - value };
    *found = true;
    return OSC_OK;
}
