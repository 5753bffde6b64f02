/* What the parts of the library of faults share (fault.c). */
#ifndef FAULT_H
#define FAULT_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

/* The function of this name that the program would have called. */
#define REAL(name) \
    __extension__ ({ \
        static __typeof__(&name) real; \
        if (real == NULL) \
            real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
        real; \
    })
#define CALLER __builtin_return_address(0)

/* Between the beginning of main and the report at exit. */
bool fault_active(void);
/* Whether OSC_FAULT names this kind. */
bool fault_is(const char *kind);
/* Counts a call of the kind, and says whether it is one that fails. */
bool fault_due(void);
/* Both, and errno if it fails. */
bool fault_fails(const char *kind);
/* Sets errno to the fault's; -1. */
int fault_error(void);
/* Whether the caller is the program itself; one of the libraries of kind lib. */
bool fault_own(const void *caller);
bool fault_firm(const void *caller);
/* Allocations of the program's own that were not released (memory.c). */
unsigned long fault_alive(void);

#endif
