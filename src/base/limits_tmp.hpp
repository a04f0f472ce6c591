// Temporary.
#pragma once
#include "base/limits.hpp"
namespace dyad::limits {
inline constexpr std::int64_t hook_event_bytes_max = 16777216;
inline constexpr std::int64_t hook_session_id_bytes_max = 128;
inline constexpr std::int64_t hook_text_bytes_max = 16384;
inline constexpr std::int64_t hook_context_bytes_max = 9500;
inline constexpr std::int64_t hook_prompt_bytes_max = 4000;
inline constexpr std::int64_t hook_sessions_max = 1024;
inline constexpr std::int64_t hook_shown_max = 2048;
inline constexpr std::int64_t hook_repeat_ms = 5000;
inline constexpr std::int64_t hook_session_days = 14;
inline constexpr std::int64_t hook_answer_ms = 2000;
inline constexpr std::int64_t hook_guard_ms = 5000;
inline constexpr std::int64_t watch_lines_max = 12;
inline constexpr std::int64_t watch_window_ms = 60000;
inline constexpr std::int64_t import_file_bytes_max = 67108864;
}
