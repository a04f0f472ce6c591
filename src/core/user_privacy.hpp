// Who of a user's instances is private: by the log, and by what was asked for and is not in it.
#pragma once

#include "core/privacy.hpp"
#include "model/change.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace dyad::core {

struct Pending;
class UserLog;

class UserPrivacy {
  public:
    explicit UserPrivacy(UserLog& user) : user_(user) {}

    // Its mode is inspired, or it asked for that.
    bool is_private(std::string_view instance_id) const;
    // Its instance asked for privacy before it came, and none of `before` it has ended that.
    bool is_private(const Pending& pending, std::span<const Pending> before) const;
    // A command has come: notes when, and what had been asked for by then.
    void hear(Pending& pending);
    // Somebody asked in a way that no command can carry out.
    void keep_private(const std::string& instance_id) { cannot_note(instance_id, ++heard_); }
    // The command that asked was refused.
    void cannot_note(const std::string& instance_id, PrivacyAsks::Serial ask);
    // The command was answered before.
    void repeated(const Pending& pending);
    // A mode is folded. `own`: the command that said it, where it came from here.
    void before_mode(const ModeChange& change, Offset offset);
    void after_mode(const ModeChange& change, std::uint64_t operation_key, Offset offset,
                    const Pending* own);
    // Another log has taken the place of the one that `before` was the state of.
    void keep_since(const State& before);

  private:
    UserLog& user_;
    PrivacyAsks asks_;
    PrivacyAsks::Serial heard_ = 1;  // of commands and asks
};

}  // namespace dyad::core
