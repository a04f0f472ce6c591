// Libraries that only many nodes need, and that would cost every other server 3 MB and 10 ms if it
// were linked with them: each is loaded by whoever is about to call it. tools/on_demand.py makes
// the stubs through which the backends call them as if they were linked.
#pragma once

#include "base/result.hpp"

#include <vector>

namespace dyad::cli {

// Each loads its library on the first call. Errors: unavailable, and what to install.
Status load_mongoc();
Status load_ssl();

// Of the generated stubs: the functions' names, and where their addresses go.
const std::vector<const char*>& mongoc_functions();
void** mongoc_table() noexcept;
const std::vector<const char*>& ssl_functions();
void** ssl_table() noexcept;

}  // namespace dyad::cli
