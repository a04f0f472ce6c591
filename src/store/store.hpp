// What a backend of the memory is: the log, and what is derived from it.
#pragma once

#include "store/archive.hpp"
#include "store/log.hpp"

namespace dyad {

class Store : public Log, public Archive {
  public:
    template <class T>
    using Callback = Log::Callback<T>;
};

}  // namespace dyad
