#ifndef ASSAY_MEMORY_H
#define ASSAY_MEMORY_H

/// For a process that lives long and works in bursts: has the C library keep few heaps (not eight for each core) and map what is large by itself.
/// Every so many seconds, free memory is given back, and pages of code are no longer mapped until they are used again. Call it once, early.
void assay_return_memory(unsigned seconds);

#endif
