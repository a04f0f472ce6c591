// What a thread is called where a system's tools list them: top -H, gdb.
#pragma once

#include <pthread.h>

namespace dyad {

// Of the calling thread. At most 15 bytes are shown.
inline void name_thread(const char* name) noexcept {
    static_cast<void>(::pthread_setname_np(::pthread_self(), name));
}

}  // namespace dyad
