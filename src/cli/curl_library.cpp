#include "cli/curl_library.hpp"

#include "base/check.hpp"
#include "cli/terminal.hpp"

#include <cstdlib>

#include <dlfcn.h>

// Macros that only check their arguments.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace dyad::cli {
namespace {

template <class Function>
void find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    CHECK(function != nullptr);
}

CurlLibrary load() {
    void* const library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        complain("dyad-memory: libcurl is missing; on Debian: apt-get install libcurl4");
        std::exit(1);
    }
    CurlLibrary out;
#define X(name) find(library, "curl_" #name, out.name);
#include "cli/curl_functions.def"
#undef X
    CHECK(out.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    return out;
}

}  // namespace

const CurlLibrary& curl() {
    static const CurlLibrary library = load();
    return library;
}

}  // namespace dyad::cli
