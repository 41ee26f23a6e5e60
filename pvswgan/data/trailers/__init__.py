"""Clips of faces out of film trailers, as TrailerFaces was made: shots, faces, tracks, crops, filters, a report."""

from pvswgan.data.trailers.make import REPORT, SHEET, FaceRecipe, faces_recipe, faces_store, report, trailer_files
from pvswgan.data.trailers.scan import faces
from pvswgan.data.trailers.settings import FaceSettings
from pvswgan.data.trailers.sheet import contact_sheet

__all__ = ["REPORT", "SHEET", "FaceRecipe", "FaceSettings", "contact_sheet", "faces", "faces_recipe", "faces_store",
           "report", "trailer_files"]
