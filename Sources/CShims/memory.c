#include "include/memory.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

// free gives back the end of a heap only; what lies between what is still used stays resident for ever without this.
static void *trim(void *context) {
    unsigned seconds = (unsigned)(uintptr_t)context;
    for (;;) {
        sleep(seconds);
        malloc_trim(0);
    }
    return NULL;
}

void assay_return_memory(unsigned seconds) {
    mallopt(M_ARENA_MAX, 2);
    // Setting it keeps it: by default it grows to 32 MiB with the blocks that are freed, and such blocks then stay in the heap.
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 512 << 10);

    // Signals are the other threads' business.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_t thread;
    // Without the thread memory is only given back later.
    (void)pthread_create(&thread, &attributes, trim, (void *)(uintptr_t)seconds);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
}
