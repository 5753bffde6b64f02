#include <config.h>
#include "record/recorder_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/half.h"

static char *stage_name(const char *path)
{
    size_t length = strlen(path);
    char *name = osc_alloc(length + sizeof ".raw", 1);
    if (name != NULL) {
        memcpy(name, path, length);
        strcpy(name + length, ".raw");
    }
    return name;
}

osc_status osc_raw_open(osc_recorder *recorder)
{
    const osc_record_layout *layout = &recorder->layout;
    osc_raw_stage *raw = &recorder->raw;
    size_t widest = 0;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((layout->raw >> p & 1u) && layout->width[p] > widest)
            widest = layout->width[p];
    raw->tensors = layout->layers * (size_t)__builtin_popcount(layout->raw);
    raw->stride = layout->length * widest * sizeof *raw->half;
    raw->half = osc_alloc(layout->length * widest, sizeof *raw->half);
    char *name = stage_name(recorder->path);
    osc_status status = raw->half == NULL || name == NULL ? OSC_ENOMEM : OSC_OK;
    if (status == OSC_OK) {
        raw->fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (raw->fd < 0)
            status = osc_fail(OSC_EIO, "%s: cannot create %s: %s", recorder->path, name,
                              strerror(errno));
        else
            unlink(name);      /* the space goes back whatever ends the process */
    }
    osc_free(name);
    return status;
}

void osc_raw_close(osc_raw_stage *raw)
{
    if (raw->fd >= 0)
        close(raw->fd);
    osc_free(raw->half);
    *raw = (osc_raw_stage){ .fd = -1 };
}

static off_t place_of(const osc_recorder *recorder, osc_point point, size_t layer,
                      size_t sequence)
{
    unsigned before = recorder->layout.raw & ((1u << point) - 1u);
    size_t tensor = (size_t)__builtin_popcount(before) * recorder->layout.layers + layer;
    size_t index = (sequence - recorder->committed) * recorder->raw.tensors + tensor;
    return (off_t)(index * recorder->raw.stride);
}

osc_status osc_raw_hook(const osc_event *event, void *user)
{
    osc_recorder *recorder = user;
    const osc_record_layout *layout = &recorder->layout;
    osc_raw_stage *raw = &recorder->raw;
    if (event->width != layout->width[event->point] || event->rows > layout->length ||
        event->sequence < recorder->committed)
        return osc_fail(OSC_EINVAL, "%s: sequence %zu has %zu rows of width %zu at %s, which was "
                        "not expected", recorder->path, event->sequence, event->rows, event->width,
                        osc_point_name(event->point));
    size_t count = event->rows * event->width;
    for (size_t i = 0; i < count; i++)
        raw->half[i] = osc_float_to_f16(event->data[i]);
    const char *data = (const char *)raw->half;
    size_t left = count * sizeof *raw->half;
    off_t at = place_of(recorder, event->point, (size_t)event->layer, event->sequence);
    while (left > 0) {
        ssize_t n = pwrite(raw->fd, data, left, at);
        if (n < 0 && errno != EINTR)
            return osc_fail(OSC_EIO, "%s: cannot keep values for /raw: %s", recorder->path,
                            strerror(errno));
        size_t done = n > 0 ? (size_t)n : 0;
        data += done;
        left -= done;
        at += (off_t)done;
    }
    return OSC_OK;
}

osc_status osc_raw_read(osc_recorder *recorder, osc_point point, size_t layer, size_t sequence)
{
    const size_t *offset = recorder->corpus->offset;
    size_t ids = offset[sequence + 1] - offset[sequence];
    size_t left = ids * recorder->layout.width[point] * sizeof *recorder->raw.half;
    char *data = (char *)recorder->raw.half;
    off_t at = place_of(recorder, point, layer, sequence);
    while (left > 0) {
        ssize_t n = pread(recorder->raw.fd, data, left, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return osc_fail(OSC_EIO, "%s: cannot read back values for /raw: %s", recorder->path,
                            n == 0 ? "they were not recorded" : strerror(errno));
        data += n;
        left -= (size_t)n;
        at += n;
    }
    return OSC_OK;
}

osc_status osc_raw_clear(osc_recorder *recorder)
{
    if (recorder->raw.fd >= 0 && ftruncate(recorder->raw.fd, 0) != 0)
        return osc_fail(OSC_EIO, "%s: cannot clear the values kept for /raw: %s", recorder->path,
                        strerror(errno));
    return OSC_OK;
}
