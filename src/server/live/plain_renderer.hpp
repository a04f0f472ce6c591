// Renders events for plain clients: the heart's port to the wire.
#pragma once

#include "core/feed.hpp"
#include "wire/plain_events.hpp"

namespace dyad::server::live {

class PlainRenderer final : public core::Renderer {
  public:
    void render_plain(std::string_view user_id, const EventOrigin& origin, const Change& change,
                      std::string& out) const override {
        wire::write_plain_event(out, user_id, origin, change);
    }
};

}  // namespace dyad::server::live
