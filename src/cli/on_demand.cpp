#include "cli/on_demand.hpp"

#include <dlfcn.h>

namespace dyad::cli {
namespace {

Status load(const char* file, const char* package, const std::vector<const char*>& names,
            void** table) {
    void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        return fail(Errc::unavailable,
                    std::string(file) + " is missing; on Debian: apt-get install " + package);
    for (std::size_t i = 0; i < names.size(); ++i) {
        // Those of the libraries that it is linked with are found, too.
        table[i] = dlsym(library, names[i]);
        if (table[i] == nullptr)
            return fail(Errc::unavailable, std::string(file) + " has no " + names[i] +
                                               "; it is another version than the one of " +
                                               package + " that this program was built with");
    }
    return Done{};
}

}  // namespace

Status load_mongoc() {
    static const Status loaded =
        load("libmongoc-1.0.so.0", "libmongoc-1.0-0", mongoc_functions(), mongoc_table());
    return loaded;
}

Status load_ssl() {
    static const Status loaded = load("libssl.so.3", "libssl3", ssl_functions(), ssl_table());
    return loaded;
}

}  // namespace dyad::cli
