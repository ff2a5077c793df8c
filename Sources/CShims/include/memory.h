#ifndef ASSAY_MEMORY_H
#define ASSAY_MEMORY_H

/// For a process that lives long and works in bursts: has the C library keep few heaps (not eight a core), map what is large by
/// itself, and give back what is free every so many seconds. Call it once, early.
void assay_return_memory(unsigned seconds);

#endif
