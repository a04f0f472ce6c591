// The service manager's notification socket (sd_notify(3)), without its library.
#pragma once

#include <cstdint>
#include <string_view>

namespace dyad::server {

// Sends `state`, such as "READY=1", where a service manager asked for it; otherwise nothing.
void notify_service_manager(std::string_view state) noexcept;
// How often it wants to hear WATCHDOG=1; 0: never.
std::int64_t watchdog_interval_ms() noexcept;

}  // namespace dyad::server
