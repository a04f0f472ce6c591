// The settings of a running server, resolved and checked. Where they come from, their names and
// their documentation: cli/settings_table.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dyad::server {

struct Settings {
    std::string host = "localhost";  // or an address; net::listen_all says for what it stands
    std::uint16_t port = 8765;
    std::string data_dir;         // absolute; made if it does not exist, of the embedded store
    std::string user_id;          // whose memory a client shares that does not say; never empty
    bool enable_mongodb = false;  // the store; else the embedded one
    bool enable_redis = false;    // the bus; else the one between the cells
    bool enable_websocket = true;
    bool enable_glass_box_tracking = true;
    bool enable_real_time_events = true;  // false: clients are told of nothing they did not ask for
    std::int64_t ping_interval_ms = 30000;
    std::int64_t stale_timeout_ms = 90000;
    std::int64_t event_ttl_days = 7;           // 0 = for ever
    std::int64_t context_ttl_days = 30;        // 0 = for ever
    std::int64_t clock_hold_hours = 24;        // 0 = the clock is believed at once
    std::vector<std::string> allowed_origins;  // beside the server's own; auth::parse_origin
    std::vector<std::string> allowed_hosts;    // beside the loopback names; auth::parse_host
};

}  // namespace dyad::server
