// C that Swift cannot call by itself: variadic functions, and a spawn with the promises that Subprocess makes. And a checksum,
// the settings of the C library's allocator, and epoll.
#ifndef ASSAY_CSHIMS_H
#define ASSAY_CSHIMS_H

#include "checksum.h"
#include "epoll.h"
#include "memory.h"
#include "spawn.h"
#include "curl_setters.h"

#endif
