#include <config.h>
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

static const char *const names[OSC_STATUS_COUNT] = {
    [OSC_OK] = "ok",
    [OSC_STOP] = "stopped by a hook",
    [OSC_ENOMEM] = "out of memory",
    [OSC_EINVAL] = "invalid argument",
    [OSC_EIO] = "input/output error",
    [OSC_EFORMAT] = "malformed file",
    [OSC_ENOTFOUND] = "not found",
    [OSC_EUNSUP] = "not supported",
    [OSC_EDEVICE] = "device error",
    [OSC_EVALUE] = "invalid value",
};

const char *osc_status_name(osc_status status)
{
    return status < OSC_STATUS_COUNT ? names[status] : "unknown status";
}

const char *osc_error(void)
{
    return message;
}

osc_status osc_fail(osc_status status, const char *format, ...)
{
    char text[sizeof message];   /* arguments may point into the old message */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(message, text, sizeof message);
    return status;
}

osc_status osc_fail_in(osc_status status, const char *prefix)
{
    return osc_fail(status, "%s: %s", prefix, message);
}
