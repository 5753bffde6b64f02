/* Memory of this process and of the machine. */
#ifndef OSC_BASE_MEMORY_H
#define OSC_BASE_MEMORY_H

#include <stddef.h>

/* Bytes of memory this process has now, pages of mapped files included; 0 if unknown. */
size_t osc_memory_resident(void);

/* Bytes that it could have more without others losing theirs: what the system calls
 * available, or less where a control group has a limit.  SIZE_MAX if unknown. */
size_t osc_memory_available(void);

#endif
