#include <config.h>
#include "store/pickle.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/format.h"
#include "store/torch_objects.h"

enum {
    STACK_MOST = 1 << 20,
    MEMO_MOST = 1 << 22,
    NAME_MOST = 256,           /* bytes of a global's module or name */
    VALUES_PER_BYTE = 16,      /* bytes of values for each byte of pickle; real ones take 3 to 6 */
    VALUES_FREE = 64 << 10     /* bytes of values beyond that */
};

struct machine {
    struct osc_pickle *pickle;
    const uint8_t     *data;
    size_t             size, at;
    struct osc_value  *stack;
    size_t             depth, stack_capacity;
    size_t            *mark;             /* depths of the stack */
    size_t             marks, mark_capacity;
    struct osc_value  *memo;
    size_t             memo_capacity;    /* slots beyond were never written */
};

static osc_status push(struct machine *m, struct osc_value value)
{
    if (m->depth == STACK_MOST)
        return osc_fail(OSC_EFORMAT, "the stack is deeper than %d", STACK_MOST);
    struct osc_value *grown = osc_grow(m->stack, &m->stack_capacity, m->depth + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    m->stack = grown;
    m->stack[m->depth++] = value;
    return OSC_OK;
}

/* At least `count` values lie above the last mark. */
static osc_status need(const struct machine *m, size_t count)
{
    size_t floor = m->marks > 0 ? m->mark[m->marks - 1] : 0;
    if (m->depth - floor >= count)
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "needs %zu values on the stack, there are %zu", count,
                    m->depth - floor);
}

static struct osc_value *top(const struct machine *m)
{
    return &m->stack[m->depth - 1];
}

static osc_status need_bytes(const struct machine *m, size_t count)
{
    if (count <= m->size - m->at)
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "needs %zu bytes, %zu are left", count, m->size - m->at);
}

/* Strict: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static bool is_utf8(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint8_t c = text[i];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2
                    : c >= 0xf0 && c < 0xf5 ? 3 : size;
        if (more >= size - i)
            return false;
        uint8_t next = more > 0 ? text[i + 1] : 0x80;
        if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) ||
            (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f))
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((text[i + k] & 0xc0) != 0x80)
                return false;
        i += 1 + more;
    }
    return true;
}

/* --- opcodes: each gets the number that follows it, or the table's -------------------- */

static osc_status op_protocol(struct machine *m, size_t version)
{
    if (m->at != 2)
        return osc_fail(OSC_EFORMAT, "is not at the beginning");
    if (version != 2)
        return osc_fail(OSC_EUNSUP, "pickle protocol %zu, only 2 (torch.save's default) is "
                        "supported", version);
    return OSC_OK;
}

static osc_status op_none(struct machine *m, size_t unused)
{
    (void)unused;
    return push(m, (struct osc_value){ .kind = OSC_VALUE_NONE });
}

static osc_status op_bool(struct machine *m, size_t value)
{
    return push(m, (struct osc_value){ .kind = OSC_VALUE_BOOL, .as.number = (int64_t)value });
}

static osc_status op_int(struct machine *m, size_t value)
{
    return push(m, (struct osc_value){ .kind = OSC_VALUE_INT, .as.number = (int64_t)value });
}

static osc_status op_signed_int(struct machine *m, size_t value)
{
    return op_int(m, (size_t)(int64_t)(int32_t)(uint32_t)value);
}

/* Two's complement of `count` bytes. */
static osc_status op_long(struct machine *m, size_t count)
{
    uint64_t value = 0;
    OSC_TRY(need_bytes(m, count));
    if (count > 8)
        return osc_fail(OSC_EFORMAT, "an integer of %zu bytes, at most 8 are accepted", count);
    if (count > 0 && (m->data[m->at + count - 1] & 0x80) != 0)
        value = UINT64_MAX;
    for (size_t i = count; i-- > 0;)
        value = value << 8 | m->data[m->at + i];
    m->at += count;
    return op_int(m, (size_t)value);
}

/* Nothing in a state dict depends on its value. */
static osc_status op_float(struct machine *m, size_t unused)
{
    (void)unused;
    OSC_TRY(need_bytes(m, 8));
    m->at += 8;
    return push(m, (struct osc_value){ .kind = OSC_VALUE_FLOAT });
}

static osc_status op_text(struct machine *m, size_t size)
{
    OSC_TRY(need_bytes(m, size));
    const uint8_t *text = m->data + m->at;
    if (!is_utf8(text, size))
        return osc_fail(OSC_EFORMAT, "a string that is not UTF-8");
    m->at += size;
    return push(m, (struct osc_value){ .kind = OSC_VALUE_TEXT, .size = (uint32_t)size,
                                       .as.text = (const char *)text });
}

/* The line at m->at, without its end. */
static osc_status read_line(const char **line, size_t *size, struct machine *m)
{
    size_t left = m->size - m->at, most = left < NAME_MOST ? left : NAME_MOST;
    const uint8_t *start = m->data + m->at, *end = memchr(start, '\n', most);
    if (end == NULL)
        return osc_fail(OSC_EFORMAT, "a name without an end within %zu bytes", most);
    *line = (const char *)start;
    *size = (size_t)(end - start);
    m->at += *size + 1;
    return OSC_OK;
}

/* The name is judged here, whether or not it is ever called. */
static osc_status op_global(struct machine *m, size_t unused)
{
    const char *module, *name;
    size_t module_size, name_size;
    (void)unused;
    OSC_TRY(read_line(&module, &module_size, m));
    OSC_TRY(read_line(&name, &name_size, m));
    const struct osc_global *global = osc_torch_global(module, module_size, name, name_size);
    if (global == NULL) {
        char quoted_module[OSC_QUOTED], quoted_name[OSC_QUOTED];
        return osc_fail(OSC_EFORMAT, "refers to '%s.%s', which has no place in a state dict: "
                        "refused",
                        osc_weight_quote_bytes(quoted_module, module, module_size),
                        osc_weight_quote_bytes(quoted_name, name, name_size));
    }
    return push(m, (struct osc_value){ .kind = OSC_VALUE_GLOBAL, .as.global = global });
}

/* Picklers number the slots one by one: a number beyond the bytes read so far is made up. */
static osc_status op_put(struct machine *m, size_t slot)
{
    OSC_TRY(need(m, 1));
    if (slot >= MEMO_MOST || slot > m->at)
        return osc_fail(OSC_EFORMAT, "memo slot %zu after %zu bytes of pickle", slot, m->at);
    struct osc_value *grown = osc_grow(m->memo, &m->memo_capacity, slot + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    m->memo = grown;
    m->memo[slot] = *top(m);
    return OSC_OK;
}

static osc_status op_get(struct machine *m, size_t slot)
{
    if (slot >= m->memo_capacity || m->memo[slot].kind == OSC_VALUE_UNSET)
        return osc_fail(OSC_EFORMAT, "memo slot %zu was never written", slot);
    return push(m, m->memo[slot]);
}

static osc_status op_mark(struct machine *m, size_t unused)
{
    (void)unused;
    if (m->marks == STACK_MOST)
        return osc_fail(OSC_EFORMAT, "more than %d open marks", STACK_MOST);
    size_t *grown = osc_grow(m->mark, &m->mark_capacity, m->marks + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    m->mark = grown;
    m->mark[m->marks++] = m->depth;
    return OSC_OK;
}

/* Removes the last mark and says how many values lay above it. */
static osc_status pop_mark(size_t *count, struct machine *m)
{
    if (m->marks == 0)
        return osc_fail(OSC_EFORMAT, "there is no mark");
    *count = m->depth - m->mark[--m->marks];
    return OSC_OK;
}

/* The top `count` values become one tuple. */
static osc_status op_tuple(struct machine *m, size_t count)
{
    osc_status status;
    OSC_TRY(need(m, count));
    struct osc_value *item = osc_arena_take(&status, &m->pickle->arena, count * sizeof *item);
    if (item == NULL)
        return status;
    m->depth -= count;
    if (count > 0)
        memcpy(item, m->stack + m->depth, count * sizeof *item);
    return push(m, (struct osc_value){ .kind = OSC_VALUE_TUPLE, .size = (uint32_t)count,
                                       .as.item = item });
}

static osc_status op_marked_tuple(struct machine *m, size_t unused)
{
    size_t count = 0;
    (void)unused;
    OSC_TRY(pop_mark(&count, m));
    return op_tuple(m, count);
}

static osc_status op_container(struct machine *m, size_t kind)
{
    osc_status status;
    struct osc_items *items = osc_arena_take(&status, &m->pickle->arena, sizeof *items);
    if (items == NULL)
        return status;
    return push(m, (struct osc_value){ .kind = (enum osc_value_kind)kind, .as.items = items });
}

/* Moves the top `count` values into the container below them. */
static osc_status move_into(struct machine *m, enum osc_value_kind kind, size_t count)
{
    OSC_TRY(need(m, count + 1));
    const struct osc_value *value = m->stack + m->depth - count;
    if (value[-1].kind != kind)
        return osc_fail(OSC_EFORMAT, "adds items to %s", osc_value_name(&value[-1]));
    if (kind == OSC_VALUE_DICT && count % 2 != 0)
        return osc_fail(OSC_EFORMAT, "a key without a value");
    for (size_t i = 0; kind == OSC_VALUE_DICT && i < count; i += 2)
        if (value[i].kind != OSC_VALUE_TEXT)
            return osc_fail(OSC_EFORMAT, "the key of an item is %s, expected a string",
                            osc_value_name(&value[i]));
    OSC_TRY(osc_items_add(value[-1].as.items, &m->pickle->arena, value, count));
    m->depth -= count;
    return OSC_OK;
}

static osc_status op_item(struct machine *m, size_t kind)
{
    return move_into(m, (enum osc_value_kind)kind, kind == OSC_VALUE_DICT ? 2 : 1);
}

static osc_status op_items(struct machine *m, size_t kind)
{
    size_t count = 0;
    OSC_TRY(pop_mark(&count, m));
    return move_into(m, (enum osc_value_kind)kind, count);
}

static osc_status op_call(struct machine *m, size_t unused)
{
    struct osc_value result;
    (void)unused;
    OSC_TRY(need(m, 2));
    OSC_TRY(osc_torch_call(&result, m->pickle, top(m) - 1, top(m)));
    m->depth -= 2;
    return push(m, result);
}

static osc_status op_persistent(struct machine *m, size_t unused)
{
    struct osc_value result;
    (void)unused;
    OSC_TRY(need(m, 1));
    OSC_TRY(osc_torch_storage(&result, m->pickle, top(m)));
    *top(m) = result;
    return OSC_OK;
}

/* The attributes of the state dict (_metadata): dropped unread. */
static osc_status op_build(struct machine *m, size_t unused)
{
    (void)unused;
    OSC_TRY(need(m, 2));
    const struct osc_value *object = top(m) - 1;
    if (object->kind != OSC_VALUE_DICT || !object->as.items->ordered)
        return osc_fail(OSC_EFORMAT, "sets attributes of %s, only an OrderedDict may have any",
                        osc_value_name(object));
    m->depth--;
    return OSC_OK;
}

struct opcode {
    const char *name;
    osc_status (*run)(struct machine *m, size_t argument);
    size_t      width;      /* bytes of the unsigned number that follows, its argument */
    size_t      argument;   /* where none follows */
};

enum { STOP = '.' };

static const struct opcode opcodes[256] = {
    [0x80] = { "PROTO", op_protocol, 1, 0 },
    ['N'] = { "NONE", op_none, 0, 0 },
    [0x88] = { "NEWTRUE", op_bool, 0, 1 },
    [0x89] = { "NEWFALSE", op_bool, 0, 0 },
    ['K'] = { "BININT1", op_int, 1, 0 },
    ['M'] = { "BININT2", op_int, 2, 0 },
    ['J'] = { "BININT", op_signed_int, 4, 0 },
    [0x8a] = { "LONG1", op_long, 1, 0 },
    ['G'] = { "BINFLOAT", op_float, 0, 0 },
    ['X'] = { "BINUNICODE", op_text, 4, 0 },
    ['U'] = { "SHORT_BINSTRING", op_text, 1, 0 },
    ['T'] = { "BINSTRING", op_text, 4, 0 },
    ['c'] = { "GLOBAL", op_global, 0, 0 },
    ['q'] = { "BINPUT", op_put, 1, 0 },
    ['r'] = { "LONG_BINPUT", op_put, 4, 0 },
    ['h'] = { "BINGET", op_get, 1, 0 },
    ['j'] = { "LONG_BINGET", op_get, 4, 0 },
    ['('] = { "MARK", op_mark, 0, 0 },
    [')'] = { "EMPTY_TUPLE", op_tuple, 0, 0 },
    [0x85] = { "TUPLE1", op_tuple, 0, 1 },
    [0x86] = { "TUPLE2", op_tuple, 0, 2 },
    [0x87] = { "TUPLE3", op_tuple, 0, 3 },
    ['t'] = { "TUPLE", op_marked_tuple, 0, 0 },
    ['}'] = { "EMPTY_DICT", op_container, 0, OSC_VALUE_DICT },
    [']'] = { "EMPTY_LIST", op_container, 0, OSC_VALUE_LIST },
    ['s'] = { "SETITEM", op_item, 0, OSC_VALUE_DICT },
    ['u'] = { "SETITEMS", op_items, 0, OSC_VALUE_DICT },
    ['a'] = { "APPEND", op_item, 0, OSC_VALUE_LIST },
    ['e'] = { "APPENDS", op_items, 0, OSC_VALUE_LIST },
    ['R'] = { "REDUCE", op_call, 0, 0 },
    ['Q'] = { "BINPERSID", op_persistent, 0, 0 },
    ['b'] = { "BUILD", op_build, 0, 0 },
};

static osc_status step(struct machine *m, const struct opcode *opcode)
{
    size_t argument = opcode->argument;
    OSC_TRY(need_bytes(m, opcode->width));
    for (size_t i = 0; i < opcode->width; i++)
        argument |= (size_t)m->data[m->at++] << 8 * i;
    return opcode->run(m, argument);
}

static osc_status run(struct machine *m)
{
    size_t first = m->pickle->arena.taken + VALUES_FREE;
    if (m->size == 0 || m->data[0] != 0x80)
        return osc_fail(OSC_EFORMAT, "not a pickle of protocol 2");
    while (m->at < m->size) {
        size_t start = m->at++;
        const struct opcode *opcode = &opcodes[m->data[start]];
        char where[64];
        if (m->data[start] == STOP)
            return OSC_OK;
        if (opcode->run == NULL)
            return osc_fail(OSC_EFORMAT, "byte %zu of the pickle: opcode 0x%02x has no place in a "
                            "state dict: refused", start, m->data[start]);
        m->pickle->arena.most = first + VALUES_PER_BYTE * m->at;
        osc_status status = step(m, opcode);
        if (status != OSC_OK && status != OSC_ENOMEM) {
            snprintf(where, sizeof where, "byte %zu of the pickle, %s", start, opcode->name);
            return osc_fail_in(status, where);
        }
        OSC_TRY(status);
    }
    return osc_fail(OSC_EFORMAT, "the pickle has no end within %zu bytes", m->size);
}

osc_status osc_pickle_run(struct osc_pickle *pickle, struct osc_value *result, size_t *used,
                          const uint8_t *data, size_t size)
{
    struct machine m = { .pickle = pickle, .data = data, .size = size };
    osc_status status = run(&m);
    if (status == OSC_OK && (m.depth != 1 || m.marks != 0))
        status = osc_fail(OSC_EFORMAT, "the pickle ends with %zu values and %zu marks on the "
                          "stack, expected 1 and 0", m.depth, m.marks);
    if (status == OSC_OK) {
        *result = m.stack[0];
        *used = m.at;
    }
    osc_free(m.stack);
    osc_free(m.mark);
    osc_free(m.memo);
    return status;
}

void osc_pickle_release(struct osc_pickle *pickle)
{
    osc_arena_release(&pickle->arena);
    *pickle = (struct osc_pickle){ .storages = NULL };
}
