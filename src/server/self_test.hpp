// Known answers, asked at the start: a broken build or library stops the server before it touches
// a memory. What the first client would otherwise wait for is loaded on the way.
#pragma once

#include "base/result.hpp"

namespace dyad::server {

// Errors: internal, naming what gave the wrong answer.
Status self_test();

}  // namespace dyad::server
