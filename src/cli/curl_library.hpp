// libcurl, loaded by the first client that needs it: it brings thirty other libraries, which a
// server would carry for nothing (4 MB, 3 ms at the start). Its headers say what the functions are.
#pragma once

#include <curl/curl.h>

namespace dyad::cli {

struct CurlLibrary {
#define X(name) decltype(&::curl_##name) name;
#include "cli/curl_functions.def"
#undef X
};

// Ready to use. Where it is not installed, the process ends and says so. Threads: any.
const CurlLibrary& curl();

}  // namespace dyad::cli
