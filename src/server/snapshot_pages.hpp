// A snapshot in pages of about 64 KiB: its contexts, then its modes, then its conflicts.
#pragma once

#include "core/session.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace dyad::server {

class SnapshotPages {
  public:
    explicit SnapshotPages(std::shared_ptr<const core::Snapshot> snapshot)
        : snapshot_(std::move(snapshot)) {}

    const core::Snapshot& snapshot() const noexcept { return *snapshot_; }
    // Appends `"contexts":[…],"modes":[…],"conflicts":[…]` of the next page: members of an object
    // that the caller opens and closes. A page ends with the document that makes it that large.
    // False: that was the last one.
    bool next(std::string& out);

  private:
    std::shared_ptr<const core::Snapshot> snapshot_;
    std::size_t contexts_ = 0;
    std::size_t modes_ = 0;
    std::size_t conflicts_ = 0;
};

}  // namespace dyad::server
