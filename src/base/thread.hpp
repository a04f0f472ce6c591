// What the system knows of a thread of ours.
#pragma once

#include <pthread.h>
#include <sys/resource.h>

namespace dyad {

// The calling thread's name, where a system's tools list them: top -H, gdb. At most 15 bytes are
// shown.
inline void name_thread(const char* name) noexcept {
    static_cast<void>(::pthread_setname_np(::pthread_self(), name));
}

// Where there are fewer processors than threads that have work, the calling thread gets a third of
// what another one of the process gets; alone it gets all. For ever: nobody may take that back.
inline void let_others_first() noexcept {
    constexpr int kSteps = 5;  // of nice(2), each 1.25 times; 0 is this thread
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + kSteps));
}

}  // namespace dyad
