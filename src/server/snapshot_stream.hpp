// A snapshot on its way to one client, written piece by piece as the socket takes it, so that a
// large memory never stands in this process as one text.
#pragma once

#include "core/session.hpp"
#include "wire/frames.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace dyad::server {

using SnapshotPtr = std::shared_ptr<const core::Snapshot>;

class SnapshotStream {
  public:
    virtual ~SnapshotStream() = default;
    // Appends the next piece, which ends with the document that makes it 64 KiB large. False: that
    // was the last one.
    virtual bool next(std::string& out) = 0;
    // True between the fragments of one message: no other message may be sent there.
    virtual bool inside_message() const noexcept { return false; }

    // Frames of events that are newer than the snapshot, and so may only follow it.
    std::string newer;
};

// Plain: a `state-response`, in fragments, of at most state_response_bytes_max, and behind it the
// contexts that it has no place for.
std::unique_ptr<SnapshotStream> state_response(const wire::Speaker& from, std::string id,
                                               SnapshotPtr snapshot);

// One page of a snapshot: its contexts, then its modes, its conflicts and its claims.
struct SnapshotPage {
    std::string_view
        members;  // `"contexts":[…],"modes":[…],"conflicts":[…],"claims":[…]`, of an object
    const Position& position;
    std::size_t part;  // 0, 1, 2 …
    bool last;
};
// Page after page, each as `write` puts it.
using WritePage = void (*)(std::string& out, const SnapshotPage& page);
std::unique_ptr<SnapshotStream> snapshot_pages(SnapshotPtr snapshot, WritePage write);

// The page as a `snapshot` message of the negotiated protocol.
void write_snapshot_message(std::string& out, const SnapshotPage& page);

}  // namespace dyad::server
