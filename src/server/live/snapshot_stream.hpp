// A snapshot on its way to one client, written piece by piece as the socket takes it, so that a
// large memory never stands in this process as one text.
//
// Plain: a `state-response`, in fragments, of at most state_response_bytes_max, and behind it the
// contexts that it has no place for. Negotiated: `snapshot` messages, part after part.
#pragma once

#include "core/session.hpp"
#include "wire/frames.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace dyad::server::live {

class SnapshotStream {
  public:
    virtual ~SnapshotStream() = default;
    // Appends the next frame. False: that was the last one.
    virtual bool next(std::string& out) = 0;
    // True between the fragments of one message: no other message may be sent there.
    virtual bool inside_message() const noexcept = 0;

    // Frames of events that are newer than the snapshot, and so may only follow it.
    std::string newer;
};

std::unique_ptr<SnapshotStream> state_response(const wire::Speaker& from, std::string id,
                                               std::shared_ptr<const core::Snapshot> snapshot);
std::unique_ptr<SnapshotStream> snapshot_pages(std::shared_ptr<const core::Snapshot> snapshot);

}  // namespace dyad::server::live
