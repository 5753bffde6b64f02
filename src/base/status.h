/* Status codes and the message of the last error.  The library never prints and
 * never exits: whoever first knows what went wrong writes the message with
 * osc_fail(), everyone above only returns the status. */
#ifndef OSC_BASE_STATUS_H
#define OSC_BASE_STATUS_H

typedef enum {
    OSC_OK = 0,
    OSC_STOP,      /* not an error: a hook ended the run early */
    OSC_ENOMEM,    /* out of memory, host or device */
    OSC_EINVAL,    /* an argument or option is wrong */
    OSC_EIO,       /* a file could not be read or written */
    OSC_EFORMAT,   /* a file is not what it claims to be */
    OSC_ENOTFOUND, /* no such file, tensor, hook point, kernel, scheme or model */
    OSC_EUNSUP,    /* valid, but not available in this build or on this device */
    OSC_EDEVICE,   /* the device or a vendor library reported a failure */
    OSC_EVALUE,    /* a number is not finite or out of range */
    OSC_STATUS_COUNT
} osc_status;

/* Short English name of a status ("out of memory"); never NULL. */
const char *osc_status_name(osc_status status);

/* The calling thread's last message, "" if none; valid until its next osc_fail. */
const char *osc_error(void);

/* Records the message (printf style, at most 1023 bytes) for the calling thread
 * and returns `status`.  Break here to stop at every error. */
__attribute__((format(printf, 2, 3)))
osc_status osc_fail(osc_status status, const char *format, ...);

/* Puts "prefix: " in front of the recorded message and returns `status`: for a
 * caller that knows the file while the callee knew only the defect. */
osc_status osc_fail_in(osc_status status, const char *prefix);

/* Returns early when `call` fails; only where nothing is left to release. */
#define OSC_TRY(call)                         \
    do {                                      \
        osc_status try_status_ = (call);      \
        if (try_status_ != OSC_OK)            \
            return try_status_;               \
    } while (0)

#endif
