// The UUID that `DISTRIBUTED_USER_ID=$(uuidgen)` stands for: whoever writes that wants one of his
// own, and the same one tomorrow. It is made once and kept in a file, by whichever process needs it
// first.
#pragma once

#include "base/result.hpp"

#include <string>

namespace dyad::cli {

struct KeptUserId {
    std::string id;
    std::string path;
    bool made = false;  // by this call
};

// Reads the file, or makes it (and its folder, for the owner alone) where `make` says so. Several
// processes at once get the same id. Errors: not_found where there is none and none is made;
// unavailable where it cannot be read or written; invalid_field where it holds no id.
Result<KeptUserId> kept_user_id(const std::string& path, bool make);

}  // namespace dyad::cli
