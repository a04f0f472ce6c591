// The end of a user's contexts and claims: what is over becomes an event of the server's own, so
// that whoever follows the log learns of it.
#pragma once

#include "model/command.hpp"

#include <cstdint>
#include <string>

namespace dyad::core {

class UserLog;

class Expiry {
  public:
    explicit Expiry(UserLog& user) : user_(user) {}

    // Submits the end of some of what is over by the time that is proved.
    void expire();
    // The proved time by which something may be over; INT64_MAX: nothing ever is.
    std::int64_t next_ms() const;

  private:
    void expire_contexts();
    void expire_claims();
    void submit(const std::string& operation_id, CommandBody&& end);

    UserLog& user_;
};

}  // namespace dyad::core
